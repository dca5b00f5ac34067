/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * report.js - shows the result that stekprobe has put into the page, which is
 * what --json prints. No member of it is taken for markup.
 */
/* global charts, d3 */
"use strict";

(function () {
  var holder = document.getElementById("result");
  var result = JSON.parse(holder.textContent);
  var main = d3.select("main");

  function percent(part, whole) {
    if (!whole)
      return "–";
    return part === whole ? "100 %" :
      (100 * part / whole).toFixed(2) + " %";
  }

  function number(value, digits) {
    return value === null || value === undefined ? "–" :
      d3.format(",." + (digits || 0) + "f")(value);
  }

  function section(title) {
    var one = main.append("section");
    one.append("h2").text(title);
    return one;
  }

  /* entries: [name, value, class] */
  function tiles(entries) {
    var list = main.append("section").append("dl").attr("class", "tiles");
    entries.forEach(function (entry) {
      var one = list.append("div");
      one.append("dt").text(entry[0]);
      one.append("dd").attr("class", entry[2] || null).text(entry[1]);
    });
  }

  /* A column whose name begins with "#" holds numbers. */
  function table(parent, caption, columns, rows) {
    var one = parent.append("div").attr("class", "wide")
      .attr("tabindex", "0").attr("role", "region").attr("aria-label", caption)
      .append("table");
    one.append("caption").text(caption);
    var head = one.append("thead").append("tr");
    columns.forEach(function (column) {
      head.append("th").attr("scope", "col")
        .attr("class", column[0] === "#" ? "number" : null)
        .text(column.replace(/^#/, ""));
    });
    var body = one.append("tbody");
    rows.forEach(function (row) {
      var line = body.append("tr");
      row.forEach(function (value, i) {
        line.append(i ? "td" : "th").attr("scope", i ? null : "row")
          .attr("class", columns[i][0] === "#" ? "number" : null)
          .text(value === null || value === undefined ? "–" : value);
      });
    });
    return one;
  }

  function counts(parent, caption, names) {
    var rows = d3.entries(names).sort(function (a, b) {
      return b.value - a.value;
    }).map(function (entry) { return [entry.key, number(entry.value)]; });
    if (rows.length)
      table(parent, caption, ["", "#connections"], rows);
  }

  /* ---- load, and what rotate-test has of it ---- */

  function latency(load) {
    var rows = [], one = section("How long a handshake takes");
    function add(name, s) {
      if (s)
        rows.push([name, number(s.n), number(s.p50, 3), number(s.p90, 3),
          number(s.p99, 3), number(s.max, 3)]);
    }
    charts.distribution(one.node(), load.distribution);
    add("full", load.latency_ms.full);
    add("resumed", load.latency_ms.resumed);
    if (load.latency_due_ms) {
      add("full, since it was due", load.latency_due_ms.full);
      add("resumed, since it was due", load.latency_due_ms.resumed);
      add("begun late by", load.latency_due_ms.begun);
    }
    table(one, "Milliseconds", ["", "#handshakes", "#half", "#90 %", "#99 %",
      "#longest"], rows);
  }

  function details(load) {
    var one = section("By version");
    table(one, "Connections that were to offer a ticket, and what came of it",
      ["", "#connections", "#offered", "#resumed", "#of another node", "#lost",
        "#failed", "#tickets", "#ticket keys", "resumed"],
      d3.entries(load.versions).map(function (entry) {
        var v = entry.value;
        return [entry.key, number(v.connections), number(v.offered),
          number(v.resumed), number(v.resumed_elsewhere), number(v.lost),
          number(v.failed), number(v.tickets), number(v.ticket_keys),
          percent(v.resumed, v.offered)];
      }));
    counts(one, "Failures", load.failures);
    counts(one, "Groups", load.groups);
    d3.entries(load.versions).forEach(function (entry) {
      var life = entry.value.ticket_lifetime_s;
      if (life)
        table(one, "Ticket lifetimes in " + entry.key + ", seconds",
          ["#tickets", "#least", "#half", "#most", "#not hinted"],
          [[number(life.n), number(life.min), number(life.p50),
            number(life.max), number(life.not_hinted)]]);
    });
  }

  function load_tiles(load, more) {
    var cpu = load.server_cpu && load.server_cpu.us_per_connection;
    tiles([
      ["Resumed, of those offered", percent(load.resumed, load.offered),
        load.lost ? "bad" : "good"],
      ["Lost", number(load.lost), load.lost ? "bad" : "good"],
      ["Failed", number(load.failed), load.failed ? "bad" : "good"],
      ["Connections", number(load.connections)],
      ["A second", number(load.handshakes_per_s, 1)],
    ].concat(more, cpu ? [["Server CPU each", number(cpu, 1) + " µs"]] : []));
  }

  function show_load() {
    load_tiles(result, []);
    charts.course(section("Second by second").node(), result.course, []);
    latency(result);
    details(result);
  }

  function show_rotate() {
    var one, marks = [];
    result.events.forEach(function (event) {
      marks.push({ at: event.asked_s, text: result.kind });
      if (event.active_s !== null)
        marks.push({ at: event.active_s, text: "in force" });
    });
    load_tiles(result.load, [[result.kind + "s", number(result.events.length)]]);
    one = section("Second by second");
    charts.course(one.node(), result.load.course, marks);
    table(one, "Each " + result.kind + ", and what began until the next",
      ["#asked, s", "#answered, s", "#in force, s", "#nodes", "#late",
        "#connections", "#resumed", "#full", "#lost", "#failed",
        "#whole again after, s", "why not"],
      result.events.map(function (e) {
        return [number(e.asked_s, 2), number(e.done_s, 2),
          number(e.active_s, 2), number(e.nodes), number(e.late),
          number(e.connections), number(e.resumed), number(e.full),
          number(e.lost), number(e.failed), number(e.whole_after_s, 2),
          e.detail];
      }));
    latency(result.load);
    details(result.load);
  }

  /* ---- farm ---- */

  function name_of(node) {
    return node.node || node.address;
  }

  function cell_text(cell) {
    return cell.tried - cell.failed > 0 && cell.rate !== null ?
      percent(cell.rate, 1) : "no answer";
  }

  function heat(one, version, matrix) {
    var body, nodes = result.nodes;
    var grid = table(one, "Tickets of the row's node at the column's, in " +
      version + ": share resumed, 95 % interval",
      ["issued by"].concat(nodes.map(name_of), ["#all"]), []);
    body = grid.select("tbody");
    matrix.cells.forEach(function (row, i) {
      var line = body.append("tr");
      line.append("th").attr("scope", "row").text(name_of(nodes[i]));
      row.forEach(function (cell, j) {
        var td = line.append("td").attr("class", "heat");
        if (!cell.tried) {
          td.text("–");
          return;
        }
        td.style("background-color", "rgba(var(--heat), " +
          (0.35 * (cell.rate || 0)).toFixed(3) + ")");
        td.append("span").text(cell_text(cell));
        td.classed("none", cell.rate === 0);
        td.append("small").text((100 * cell.low).toFixed(0) + " to " +
          (100 * cell.high).toFixed(0) + " %");
        td.attr("title", cell.resumed + " of " + cell.tried + " tickets of " +
          name_of(nodes[i]) + " at " + name_of(nodes[j]));
      });
      line.append("td").attr("class", "number")
        .text(matrix.rows[i].tried ? cell_text(matrix.rows[i]) : "–");
    });
  }

  function show_farm() {
    var one, stray = result.findings || [];
    tiles(d3.entries(result.versions).map(function (entry) {
      var v = entry.value;
      return ["Resumed in " + entry.key, percent(v.rate, 1),
        v.rate === 1 ? "good" : "bad"];
    }).concat([["Nodes", number(result.nodes.length)],
      ["Seen through", result.mode === "balanced" ? "a load balancer" :
        "own addresses"],
      ["Findings", number(stray.length), stray.length ? "bad" : "good"]]));
    one = section("Who resumes whose tickets");
    d3.entries(result.versions).forEach(function (entry) {
      heat(one, entry.key, entry.value);
    });
    if (stray.length)
      findings(section("Findings"), stray);
    table(section("Nodes"), "As they answered", ["address", "name", "farm",
      "reached", "TLS 1.2", "TLS 1.3", "failure"],
      result.nodes.map(function (node) {
        return [node.address, node.node, node.farm, node.reached ? "yes" : "no",
          node.state["TLSv1.2"], node.state["TLSv1.3"], node.failure];
      }));
  }

  function findings(one, list) {
    list.forEach(function (finding) {
      one.append("p").attr("class", "bad").text(
        (finding.issuer ? finding.issuer + " at " : "") + finding.node +
        ", " + finding.versions.join(" and ") + ": " + finding.what);
      if (finding.check && finding.check.length) {
        var checks = one.append("ul");
        finding.check.forEach(function (check) {
          checks.append("li").text(check);
        });
      }
    });
  }

  /* ---- audit ---- */

  function show_audit() {
    var outcomes = { found: "bad", not_found: "good" };
    tiles([
      ["Verdict", result.verdict, result.found ? "bad" : "good"],
      ["Found", number(result.found), result.found ? "bad" : "good"],
      ["Not found", number(result.not_found)],
      ["Not judged", number(result.not_judged)],
      ["Connections", number(result.connections)],
      ["Watched", number(result.watched_s) + " s"],
    ]);
    result.findings.forEach(function (finding) {
      var one = section(finding.title);
      one.append("p").attr("class", outcomes[finding.result] || null)
        .text(finding.result.replace("_", " ") + " · " + finding.severity + " · " + finding.id);
      one.append("p").text(finding.evidence);
      if (finding.result === "found") {
        one.append("p").text(finding.means);
        one.append("p").text(finding.change);
      }
      one.append("p").attr("class", "about").text(finding.rfc);
    });
  }

  /* ---- handshake ---- */

  function connection(title, c) {
    var one = section(title), facts = d3.entries(c.negotiated || {});
    one.append("p").attr("class", c.end === "good" ? "good" : "bad")
      .text(c.end === "good" ? "ended well" :
        "failed: " + (c.alert ? "alert " + c.alert.name : c.error || c.end));
    table(one, "The flights", ["#flight", "from", "message", "#bytes", "keys",
      "#ms"], c.messages.map(function (m) {
      return [m.flight, m.from, m.message, number(m.bytes), m.keys,
        number(m.ms, 3)];
    }));
    if (facts.length)
      table(one, "Negotiated", ["", ""], facts.map(function (fact) {
        return [fact.key.replace(/_/g, " "), String(fact.value)];
      }));
    if (c.certificates && c.certificates.length)
      table(one, "Certificates", ["subject", "issuer", "names", "until"],
        c.certificates.map(function (x) {
          return [x.subject, x.issuer, x.names, x.not_after];
        }));
    if (c.tickets && c.tickets.length)
      table(one, "Tickets", ["key", "#lifetime, s", "#bytes"],
        c.tickets.map(function (t) {
          return [t.key_name, number(t.lifetime_s), number(t.bytes)];
        }));
  }

  function show_handshake() {
    tiles([
      ["First connection", result.first.end,
        result.first.end === "good" ? "good" : "bad"],
      ["Second resumed", result.second && result.second.negotiated &&
        result.second.negotiated.resumed ? "yes" : "no"],
      ["First, ms", number(result.first.handshake_ms, 2)],
      ["Second, ms", result.second ?
        number(result.second.handshake_ms, 2) : "–"],
    ]);
    (result.causes || []).forEach(function (cause) {
      var one = section("Likely cause: " + (cause.what || cause.name));
      (cause.check || []).forEach(function (check) {
        one.append("p").text(check);
      });
    });
    connection("The first connection", result.first);
    if (result.second)
      connection("The second, with its ticket", result.second);
  }

  document.title = "stekprobe " + holder.getAttribute("data-command") + ", " +
    holder.getAttribute("data-made");
  main.append("h1").text("stekprobe " + holder.getAttribute("data-command"));
  main.append("p").attr("class", "about")
    .text(holder.getAttribute("data-made") + " · " +
      holder.getAttribute("data-about"));
  ({
    audit: show_audit, farm: show_farm, handshake: show_handshake,
    load: show_load, "rotate-test": show_rotate,
  })[
    holder.getAttribute("data-command")]();
}());
