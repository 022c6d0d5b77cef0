"""The parts of bulkhead-isolation.

    scenario   reads a scenario file
    server     starts a server for it, or uses a running one; log reads its log
    load       the clients, a process per port; client is one connection
    faults disturbs the ports at the planned times
    result     joins samples, log and faults: the report, as written in JSON
    expect checks the scenario's expectations
    notice     decides which ports noticed; has all thresholds. summary puts that into a
    sentence
    text, page, plot   show the report to people: plain text, HTML, its pictures
    command    the command line
"""
