"""The commands of everyday users, run with bash and curl.

In: scripts as people write them (and as blogs print them).  Out: the lines that a scrape shows afterwards.
Never: replaces bash or curl by anything else; `$PGW` is the gateway's address.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from servers import program_path

if TYPE_CHECKING:
    from client import Client
    from servers import Server

HEREDOC = """
cat <<EOF | curl -sf --data-binary @- "$PGW/metrics/job/some_job/instance/some_instance"
# TYPE some_metric counter
some_metric{label="val1"} 42
# TYPE another_metric gauge
# HELP another_metric Just an example.
another_metric 2398.283
EOF
"""
EXPORTER = r"""
# A shell exporter: counts the sockets that wait, as netstat shows them.
instance_name=$(hostname | cut -d'.' -f1)
label="count_netstat_wait_connections"
count=$(netstat -an | grep -ci wait || true)
echo "$label $count" | curl -sf --data-binary @- "$PGW/metrics/job/pushgateway/instance/$instance_name"
echo "$label{instance=\"$instance_name\",job=\"pushgateway\"} $count"
"""
PS_AUX = r"""
# One line per process; the rows of `ps aux` three hundred times over, for a machine with many processes.
lines=$(ps aux | awk 'NR > 1 { row[++n] = $0 } END { for (i = 0; i < 300; i++) print row[i % n + 1] }' |
    awk '{ gsub(/["\\]/, "\\\\&", $11); printf "cpu_usage{process=\"%s\", pid=\"%s-%d\"} %s\n", $11, $2, NR, $3 }')
curl -sf -X POST -H "Content-Type: text/plain" --data "$lines
" "$PGW/metrics/job/top/instance/machine"
echo "$lines" | wc -l
"""
QUOTES = r"""
printf 'cpu_usage{process="%s", pid="7"} 0.5\n' 'sh -c \"echo \\\"hi\\\"\"' |
    curl -sf --data-binary @- "$PGW/metrics/job/top"
"""
CSV = r"""
printf 'db-1,/,71\ndb-1,/var,12.5\nweb 1,/,3e9\n' > rows.csv
while IFS=, read -r host disk used; do
    printf 'disk_used_bytes{disk="%s"} %s\n' "$disk" "$used" |
        curl -sf --data-binary @- "$PGW/metrics/job/csv/host/${host// /%20}/disk@base64/$(printf %s "$disk" | base64)"
done < rows.csv
"""
TWO_MEMBERS = """
(echo 'a 1' | gzip; echo 'b 2' | gzip) |
    curl -sf -H 'Content-Encoding: gzip' --data-binary @- "$PGW/metrics/job/j"
"""
J = 'instance="",job="j"'
A = (f"a{{{J}}} 1",)

SCRIPTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "a heredoc with HELP and TYPE": (
        HEREDOC,
        (
            "# HELP another_metric Just an example.",
            "# TYPE another_metric gauge",
            'another_metric{instance="some_instance",job="some_job"} 2398.283',
            "# TYPE some_metric counter",
            'some_metric{instance="some_instance",job="some_job",label="val1"} 42',
        ),
    ),
    "an echo": (
        'echo "some_metric 3.14" | curl -sf --data-binary @- "$PGW/metrics/job/some_job"',
        ("# TYPE some_metric untyped", 'some_metric{instance="",job="some_job"} 3.14'),
    ),
    "a form body without a newline": (
        """curl -sf -X POST --data 'my_metric{label="value"} 1.0' "$PGW/metrics/job/j" """,
        (f'my_metric{{{J},label="value"}} 1',),
    ),
    "two families in a form body without a newline": (
        """curl -sf --data $'a 1\nb 2' "$PGW/metrics/job/j" """,
        (*A, f"b{{{J}}} 2"),
    ),
    "an upload from a pipe, which is chunked": ('echo "a 1" | curl -sf -T - "$PGW/metrics/job/j"', A),
    "a chunked POST": (
        'echo "a 1" | curl -sf -X POST -H "Transfer-Encoding: chunked" --data-binary @- "$PGW/metrics/job/j"',
        A,
    ),
    "PUT from a file": ('echo "a 1" > f.prom; curl -sf -X PUT --data-binary @f.prom "$PGW/metrics/job/j"', A),
    "a labelled group": (
        'echo "a 1" | curl -sf --data-binary @- "$PGW/metrics/job/j/instance/i/path@base64/L3Zhci90bXA="',
        ('a{instance="i",job="j",path="/var/tmp"} 1',),
    ),
    "HTTP/1.0": ('echo "a 1" | curl -sf --http1.0 --data-binary @- "$PGW/metrics/job/j"', A),
    "gzip": ('echo "a 1" | gzip | curl -sf -H "Content-Encoding: gzip" --data-binary @- "$PGW/metrics/job/j"', A),
    "gzip with two members": (TWO_MEMBERS, (*A, f"b{{{J}}} 2")),
    "PowerShell's line ends": (
        r"""printf '# TYPE a gauge\r\na{x="y"} 1\r\n\r\nb 2\r\n' | curl -sf --data-binary @- "$PGW/metrics/job/j" """,
        ("# TYPE a gauge", f'a{{{J},x="y"}} 1', f"b{{{J}}} 2"),
    ),
    "quotes in label values": (
        QUOTES,
        (r'cpu_usage{instance="",job="top",pid="7",process="sh -c \"echo \\\"hi\\\"\""} 0.5',),
    ),
    "the rows of a CSV file": (
        CSV,
        (
            'disk_used_bytes{disk="/",host="db-1",instance="",job="csv"} 71',
            'disk_used_bytes{disk="/var",host="db-1",instance="",job="csv"} 12.5',
            'disk_used_bytes{disk="/",host="web 1",instance="",job="csv"} 3e+09',
        ),
    ),
}  # fmt: skip


def run(script: str, gateway: Client, directory: Path) -> str:
    """Run a script as users do; what it printed. It must succeed."""
    program_path("curl", "curl")
    words = ["bash", "-euo", "pipefail", "-c", script]
    environ = {**os.environ, "PGW": gateway.url}
    done = subprocess.run(words, env=environ, cwd=directory, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


@pytest.mark.parametrize(("script", "lines"), SCRIPTS.values(), ids=SCRIPTS.keys())
def test_what_a_script_pushes_is_scraped(
    shared_gateway: Server, tmp_path: Path, script: str, lines: tuple[str, ...]
) -> None:
    assert run(script, shared_gateway, tmp_path) == ""

    found = shared_gateway.scrape().lines
    assert [line for line in lines if line not in found] == []


def test_a_shell_exporter_shows_the_number_it_counted(shared_gateway: Server, tmp_path: Path) -> None:
    program_path("netstat", "net-tools")

    expected = run(EXPORTER, shared_gateway, tmp_path).strip()

    assert expected in shared_gateway.scrape().lines


def test_a_loop_over_ps_aux_pushes_one_sample_per_process(shared_gateway: Server, tmp_path: Path) -> None:
    program_path("ps", "procps")

    pushed = int(run(PS_AUX, shared_gateway, tmp_path))

    assert len(shared_gateway.scrape().family("cpu_usage").samples) == pushed == 300


def test_a_body_of_two_megabytes_is_accepted_after_100_continue(shared_gateway: Server, tmp_path: Path) -> None:
    script = r"""
    for i in $(seq 20000); do printf 'big{number="%d",padding="%0100d"} %d\n' "$i" 0 "$i"; done > big.prom
    curl -svf --data-binary @big.prom -H 'Expect: 100-continue' "$PGW/metrics/job/j" 2> verbose.log
    grep -c '100 Continue' verbose.log
    """
    assert run(script, shared_gateway, tmp_path) == "1\n"

    assert len(shared_gateway.scrape().family("big").samples) == 20000


def test_a_group_and_a_job_are_deleted_separately(shared_gateway: Server, tmp_path: Path) -> None:
    push = 'for path in j j/instance/i k; do echo "a 1" | curl -sf --data-binary @- "$PGW/metrics/job/$path"; done'
    run(push, shared_gateway, tmp_path)

    run('curl -sf -X DELETE "$PGW/metrics/job/j"', shared_gateway, tmp_path)
    after_job = shared_gateway.scrape().groups()
    run('curl -sf -X DELETE "$PGW/metrics/job/j/instance/i"', shared_gateway, tmp_path)

    assert after_job == {(("instance", "i"), ("job", "j")), (("instance", ""), ("job", "k"))}
    assert shared_gateway.scrape().groups() == {(("instance", ""), ("job", "k"))}


def test_deleting_what_is_not_there_is_no_error(shared_gateway: Server, tmp_path: Path) -> None:
    script = """curl -s -o answer -w '%{http_code}' -X DELETE "$PGW/metrics/job/nobody"; wc -c < answer"""
    assert run(script, shared_gateway, tmp_path).split() == ["2020"]


def test_a_compressed_scrape_holds_the_same_page(shared_gateway: Server, tmp_path: Path) -> None:
    shared_gateway.post("job/j", "".join(f'many{{x="{number}"}} {number}\n' for number in range(5000)))
    script = """
    curl -sf "$PGW/metrics" | grep -v ^pushgateway_ > plain
    curl -sf --compressed -D head "$PGW/metrics" | grep -v ^pushgateway_ > unpacked
    grep -ci '^content-encoding: gzip' head
    cmp plain unpacked
    curl -sf -H 'Accept-Encoding: gzip' "$PGW/metrics" | gzip -dc | grep -v ^pushgateway_ | cmp plain -
    """
    assert run(script, shared_gateway, tmp_path) == "1\n"


def test_curl_head_shows_what_a_scrape_would_weigh(shared_gateway: Server, tmp_path: Path) -> None:
    shared_gateway.post("job/j", "a 1\n")
    script = """
    curl -sf -I "$PGW/metrics" | tr -d '\\r' > head
    grep -c '^HTTP/1.1 200' head
    grep -ci '^content-type: text/plain; version=0.0.4' head
    """
    assert run(script, shared_gateway, tmp_path) == "1\n1\n"


def test_what_is_wrong_is_said_with_its_line(shared_gateway: Server, tmp_path: Path) -> None:
    script = """printf 'a 1\\nb x\\n' | curl -s -w '%{http_code}' --data-binary @- "$PGW/metrics/job/j" """

    said = run(script, shared_gateway, tmp_path)

    assert said == 'text format parsing error in line 2: expected float as value, got "x"\n400'
    assert shared_gateway.scrape().groups() == set()
