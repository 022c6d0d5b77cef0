"""Gateways that the cases of gateway.py are tried on: Bulkhead and, to see what a case is worth, others.

GATEWAY=nginx or haproxy in the environment takes that one in place of Bulkhead, for a look at both: cases
that all of them fail deserve another look at the RFC.
"""
import collections
import contextlib
import os
import signal
import subprocess
import time

import gateway as reader
from gateway import Lane, play_all
from harness import Server, free_ports, have, refused, wait_for

# Kind of lane: how many there are, and the endpoints of each.
LANES = {
    "plain": (16, 1), "trusting": (1, 1), "paths": (2, 1), "short": (8, 1), "two": (2, 2), "buffered": (3, 1),
    "compressed": (2, 1), "small": (1, 1), "rules": (1, 1)
}

TIMEOUTS = "timeouts {{ connect {0}; head {0}; between {0} }}"
LIMITS = "limits { body 64M requests 100000 }"


def lanes_for(kinds, **how):
    """For so many cases of each kind: few cases need fewer lanes."""
    wanted = [(kind, endpoints) for kind, (count, endpoints) in LANES.items()
              for _ in range(min(count, -(-kinds[kind] // 8)))]
    return [
        Lane(kind, port, endpoints, **how) for (kind, endpoints), port in zip(wanted, free_ports(len(wanted)))
    ]


# --- Bulkhead ------------------------------------------------------------------------------------


def bulkhead_port(lane):
    threads = os.environ.get("BULKHEAD_THREADS")  # as in files with THREADED = True
    to = " ".join(f'"{url}"' for url in lane.urls)
    verify = "verify off" if lane.context else ""
    time = "1s" if lane.kind == "short" else "20s"
    text = (f'upstream "u" {{ to {to} {verify} fail off {TIMEOUTS.format(time)} }} {LIMITS}\n')
    if lane.kind == "trusting":
        text += "trust 127.0.0.0/8\n"
    if lane.kind == "paths":
        text += ('location "/strip" { proxy to "u" { path strip "/strip" } }\n'
                 'location "/v2" { proxy to "u" { path replace "/v2" "/" } }\n'
                 'location "/deep" { proxy to "u" { path replace "/deep" "/inner/deeper" } }\n'
                 'location "/keep" { proxy to "u" }\n')
    elif lane.kind == "buffered":
        text += 'proxy to "u" { buffer request 256K buffer response 256K }\n'
    else:
        text += 'proxy to "u"\n'
    if lane.kind == "compressed":
        text += "compress gzip\n"
    if lane.kind == "small":
        text = text.replace("body 64M", "body 1000")
    if lane.kind == "rules":
        text += (
            'request header set "X-Set" "set" request header remove "X-Removed" request header add "X-Added" "added"\n'
            'header set "X-Set" "set" header remove "X-Removed" header add "X-Added" "added"\n')
    return f"port {lane.port} {{ {f'threads {threads} ' if threads else ''}{text} }}\n"


@contextlib.contextmanager
def bulkhead(folder, certificates, lanes):
    server = Server(folder / "gateway", certificates, "tls off\n" + "".join(map(bulkhead_port, lanes)), tls=False)
    server.start()
    try:
        yield server
    finally:
        server.cleanup()
    assert not server.sanitizer_findings(), server.sanitizer_findings()


# --- others ------------------------------------------------------------------------------------------


def nginx_server(lane):
    to = " ".join(f"server 127.0.0.1:{e} max_fails=0;" for e in lane.endpoints)
    time = "1s" if lane.kind == "short" else "20s"
    common = """proxy_http_version 1.1; proxy_buffering off; proxy_set_header Connection $of_upgrade; proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For %s; proxy_set_header X-Forwarded-Proto $scheme;""" % (
        "$proxy_add_x_forwarded_for" if lane.kind == "trusting" else "$remote_addr")
    common += f"proxy_connect_timeout {time}; proxy_read_timeout {time}; proxy_send_timeout {time};"
    if lane.kind == "paths":
        places = (
            f"location /strip {{ proxy_pass http://u{lane.port}/; }} location /v2 {{ proxy_pass http://u{lane.port}/; }}"
            f"location /deep {{ proxy_pass http://u{lane.port}/inner/deeper; }}"
            f"location /keep {{ proxy_pass http://u{lane.port}; }}")
    else:
        places = f"location / {{ proxy_pass http://u{lane.port}; }}"
    return (f"upstream u{lane.port} {{ {to} keepalive 32; }}\n"
            f"server {{ listen 127.0.0.1:{lane.port}; client_max_body_size 0; {common} {places} }}\n")


@contextlib.contextmanager
def other(folder, lanes, program, text, argv):
    folder.chmod(0o755)
    (folder / "conf").write_text(text)
    with open(folder / "log", "wb") as log:
        process = subprocess.Popen([have(program), *argv], stdout=log, stderr=log, cwd=folder)
    try:
        for lane in lanes:
            wait_for(lambda lane=lane: not refused(lane.port), f"{program} listens")
        time.sleep(0.2)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def nginx(folder, _, lanes):
    text = (
        f"daemon off; pid {folder}/pid; error_log {folder}/errors; worker_processes 1; events {{ worker_connections 4096; }}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;\n"
        f"fastcgi_temp_path {folder}/f; uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;\n"
        'map $http_upgrade $of_upgrade { default upgrade; "" ""; }\n' + "".join(map(nginx_server, lanes)) + "}\n")
    return other(folder, lanes, "nginx", text, ["-p", folder, "-c", folder / "conf"])


def haproxy_part(lane):
    time = "1s" if lane.kind == "short" else "20s"
    paths = """http-request set-path %[path,regsub(^/strip/?,/)] if { path_beg /strip }
    http-request set-path %[path,regsub(^/v2/?,/)] if { path_beg /v2 }
    http-request set-path %[path,regsub(^/deep,/inner/deeper)] if { path_beg /deep }\n""" if lane.kind == "paths" else ""
    servers = "".join(f"    server s{e} 127.0.0.1:{e}\n" for e in lane.endpoints)
    return f"""
frontend f{lane.port}
    bind 127.0.0.1:{lane.port}
    default_backend b{lane.port}
backend b{lane.port}
    timeout connect {time}
    timeout server {time}
    http-reuse safe
    option forwardfor
    http-request set-header X-Forwarded-Proto http
{paths}{servers}"""


def haproxy(folder, _, lanes):
    text = (
        "global\n    maxconn 2000\n    nbthread 1\ndefaults\n    mode http\n    timeout client 20s\n    timeout http-request 20s\n    retries 1\n    option redispatch\n"
        + "".join(map(haproxy_part, lanes)))
    return other(folder, lanes, "haproxy", text, ["-db", "-f", folder / "conf"])


def lighttpd(folder, _, lanes):
    text = (f'server.document-root = "{folder}"\nserver.port = {lanes[0].port}\nserver.bind = "127.0.0.1"\n'
            'server.modules = ("mod_proxy")\nserver.errorlog = "errors"\n' +
            "".join(f'$SERVER["socket"] == "127.0.0.1:{lane.port}" {{ proxy.server = ("" => (' +
                    ",".join(f'("host" => "127.0.0.1", "port" => {e})' for e in lane.endpoints) + ")) }\n"
                    for lane in lanes))
    return other(folder, lanes, "lighttpd", text, ["-D", "-f", folder / "conf"])


NAMES = {"bulkhead": bulkhead, "nginx": nginx, "haproxy": haproxy, "lighttpd": lighttpd}
NAME = os.environ.get("GATEWAY", "bulkhead")


def gateway(folder, certificates, lanes, name=NAME):
    reader.DATED = name == "bulkhead"
    return NAMES[name](folder, certificates, lanes)


# --- for pytest ----------------------------------------------------------------------------------------


def plays(cases, folder, certificates, **how):
    """Plays them, in lanes that are made so; returns the function that judges one of them."""
    lanes = lanes_for(collections.Counter(case.lane for case in cases), **how)
    with gateway(folder, certificates, lanes) as server:
        runs = play_all(cases, lanes)
        log = server.log() if NAME == "bulkhead" else ""
    for lane in lanes:
        lane.close()

    def judge(case):
        run = runs[case]
        wrong = run.problems or run.judge()
        lines = [line for line in log.splitlines() if f"[PORT {run.lane.port}]" in line]
        assert not wrong, "\n".join([*map(str, wrong), run.story(), *lines[-20:]])

    return judge


def played(request, folder, certificates):
    """So, of the cases of the module's selected tests."""
    cases = [
        request.module.CASES[item.callspec.params["name"]] for item in request.session.items
        if item.module is request.module and "name" in getattr(getattr(item, "callspec", None), "params", {})
    ]
    return plays(cases, folder, certificates)
