"""What bulkhead-isolation is made of.

    scenario   reads a scenario file
    server     starts a server for it, or knows one that runs; log reads what it writes
    load       the clients, a process per port; client is one connection
    faults     what is done to the ports, and when
    result     samples, log and faults put together: the report, as it is written in JSON
    expect     what was expected of it
    notice     which ports noticed: all thresholds; summary is the sentence made of it
    text, page, plot   the same for people: plain, HTML, the pictures in it
    command    the command line
"""
