# SPDX-License-Identifier: GPL-2.0-or-later
"""For peers.sh: medians, spread and ratios of what it has measured, kept runs,
and what has changed between two of them.

A ratio is the median over the rounds of stekd's figure divided by that of the
best peer in the same round; the best peer is that with the least median."""
import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys

LEAST_ROUNDS = 5    # for a difference to mean something


def quartiles(values):
    if len(values) < 2:
        return values[0], values[0]
    cut = statistics.quantiles(values, n=4, method="inclusive")
    return cut[0], cut[2]


def summary(values):
    low, high = quartiles(values)
    return {"median": statistics.median(values), "low": low, "high": high,
            "rounds": values}


def read(path):
    """{kind: {server: {round: value}}} and {kind: unit}, in order."""
    kinds, units = {}, {}
    with open(path) as file:
        for line in file:
            one = json.loads(line)
            if one["kind"].startswith("warm/"):
                continue
            servers = kinds.setdefault(one["kind"], {})
            servers.setdefault(one["server"], {})[one["round"]] = one["value"]
            units[one["kind"]] = one["unit"]
    return kinds, units


def ratio_of(servers):
    peers = {name: statistics.median(rounds.values())
             for name, rounds in servers.items() if name != "stekd"}
    if "stekd" not in servers or not peers:
        return None
    best = min(peers, key=peers.get)
    ours = servers["stekd"]
    ratios = [ours[n] / servers[best][n] for n in sorted(ours)]
    return {"best": best, **summary(ratios)}


def evaluate(path):
    kinds, units = read(path)
    out = {}
    for kind, servers in kinds.items():
        out[kind] = {
            "unit": units[kind],
            "servers": {name: summary([rounds[n] for n in sorted(rounds)])
                        for name, rounds in servers.items()}}
        ratio = ratio_of(servers)
        if ratio:
            out[kind]["ratio"] = ratio
    return out


def command(*words):
    try:
        return subprocess.run(words, capture_output=True, text=True,
                              check=False).stdout.strip()
    except OSError:
        return ""


def about():
    here = os.path.dirname(os.path.abspath(__file__))
    cpu = ""
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                cpu = line.split(":", 1)[1].strip()
                break
    return {"commit": command("git", "-C", here, "describe", "--always",
                              "--dirty"),
            "at": datetime.datetime.now(datetime.timezone.utc)
            .isoformat(timespec="seconds"),
            "cpu": cpu, "processors": os.cpu_count(),
            "kernel": os.uname().release,
            "packages": command("dpkg-query", "-W", "nginx", "haproxy",
                                "hitch", "h2o", "libssl3*").splitlines()}


def show(results):
    for kind, one in results.items():
        print("%s, %s" % (kind, one["unit"]))
        for name, s in one["servers"].items():
            print("  %-8s %9.1f   quartiles %.1f to %.1f"
                  % (name, s["median"], s["low"], s["high"]))
        ratio = one.get("ratio")
        if ratio:
            print("  ratio to %s: %.3f   quartiles %.3f to %.3f"
                  % (ratio["best"], ratio["median"], ratio["low"],
                     ratio["high"]))


def judge(results, bounds, mosts):
    """The last line has all figures that have a bound."""
    said, short = [], False
    for bound in bounds:
        kind, _, most = bound.rpartition("=")
        ratio = results[kind].get("ratio")
        if not ratio:
            sys.exit("%s: there is no peer to compare with" % kind)
        over = ratio["median"] > float(most)
        short = short or over
        said.append("%s %.3f of %s (bound %s)%s"
                    % (kind, ratio["median"], ratio["best"], most,
                       " FALLS SHORT" if over else ""))
    for most in mosts:
        kind, _, limit = most.rpartition("=")
        one = results[kind]
        ours = one["servers"]["stekd"]["median"]
        over = ours > float(limit)
        short = short or over
        said.append("%s %.1f %s (bound %s)%s"
                    % (kind, ours, one["unit"], limit,
                       " FALLS SHORT" if over else ""))
    if said:
        print("; ".join(said))
    return 1 if short else 0


def verdict(x, y):
    """On two summaries. Few rounds lie close together by chance."""
    fewest = min(len(x["rounds"]), len(y["rounds"]))
    if fewest < LEAST_ROUNDS:
        return ", %d rounds are too few to tell" % fewest
    apart = y["low"] > x["high"] or y["high"] < x["low"]
    return "" if apart else ", within the spread"


def compare(a, b):
    with open(a) as file:
        first = json.load(file)
    with open(b) as file:
        second = json.load(file)
    print("%s (%s) -> %s (%s)" % (first["about"]["commit"],
                                  first["about"]["at"],
                                  second["about"]["commit"],
                                  second["about"]["at"]))
    for kind, one in first["results"].items():
        two = second["results"].get(kind)
        if not two or "ratio" not in one or "ratio" not in two:
            continue
        x, y = one["ratio"], two["ratio"]
        print("%-24s ratio %.3f -> %.3f (%+.1f %%)%s"
              % (kind, x["median"], y["median"],
                 100 * (y["median"] / x["median"] - 1), verdict(x, y)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--compare", nargs=2)
    parser.add_argument("--json")
    parser.add_argument("--bound", action="append", default=[])
    parser.add_argument("--most", action="append", default=[])
    parser.add_argument("raw", nargs="?")
    options = parser.parse_args()
    if options.compare:
        return compare(*options.compare)
    results = evaluate(options.raw)
    show(results)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"about": about(), "results": results}, file, indent=1)
            file.write("\n")
    return judge(results, options.bound, options.most)


sys.exit(main())
