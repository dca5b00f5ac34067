/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charts.js - the charts of stekprobe's page, drawn by D3 as SVG. Each is an
 * image with a text of its own; the figures stand in a table beside it.
 */
/* global d3 */
"use strict";

var charts = (function () {
  var WIDTH = 720, HEIGHT = 260;
  var MARGIN = { top: 28, right: 16, bottom: 40, left: 56 };

  function frame(parent, label) {
    var svg = d3.select(parent).append("svg")
      .attr("viewBox", "0 0 " + WIDTH + " " + HEIGHT)
      .attr("width", WIDTH).attr("role", "img").attr("aria-label", label);
    return svg.append("g")
      .attr("transform", "translate(" + MARGIN.left + "," + MARGIN.top + ")");
  }

  function inner() {
    return {
      width: WIDTH - MARGIN.left - MARGIN.right,
      height: HEIGHT - MARGIN.top - MARGIN.bottom,
    };
  }

  function axes(g, x, y, names) {
    var size = inner();

    g.append("g").attr("class", "axis")
      .attr("transform", "translate(0," + size.height + ")").call(x);
    g.append("g").attr("class", "axis").call(y);
    g.append("text").attr("x", size.width).attr("y", size.height + 34)
      .attr("text-anchor", "end").text(names.x);
    g.append("text").attr("x", -MARGIN.left + 4).attr("y", -14).text(names.y);
  }

  function legend(parent, entries) {
    var list = d3.select(parent).append("p").attr("class", "legend");

    entries.forEach(function (entry) {
      var one = list.append("span");
      one.append("svg").attr("width", 14).attr("height", 14)
        .attr("aria-hidden", "true").append("rect")
        .attr("width", 14).attr("height", 14)
        .attr("class", "fill-" + entry);
      one.append("span").text(entry);
    });
  }

  /* How the latencies of full and of resumed handshakes are distributed. */
  function distribution(parent, data) {
    var size = inner(), bounds = data.bounds_ms, kinds = ["full", "resumed"];
    var shares = {}, first = bounds.length, last = 0;

    kinds = kinds.filter(function (kind) { return d3.sum(data[kind]) > 0; });
    if (!kinds.length)
      return;
    kinds.forEach(function (kind) {
      var all = d3.sum(data[kind]);
      shares[kind] = data[kind].map(function (n, i) {
        if (n > 0) {
          first = Math.min(first, i);
          last = Math.max(last, i);
        }
        return n / all;
      });
    });
    first = Math.max(0, first - 1);
    last = Math.min(bounds.length - 1, last + 1);
    legend(parent, kinds);
    var x = d3.scale.log().domain([bounds[first], bounds[last]])
      .range([0, size.width]);
    var y = d3.scale.linear().range([size.height, 0]).nice().domain([0,
      d3.max(kinds, function (kind) { return d3.max(shares[kind]); })]);
    var g = frame(parent, "How long handshakes took: " + kinds.join(" and "));
    kinds.forEach(function (kind) {
      var points = shares[kind].slice(first, last + 1).map(function (v, i) {
        return [bounds[first + i], v];
      });
      var at = function (d) { return x(d[0]); };
      g.append("path").datum(points).attr("class", "area-" + kind)
        .attr("d", d3.svg.area().interpolate("step-before").x(at)
          .y0(size.height).y1(function (d) { return y(d[1]); }));
      g.append("path").datum(points).attr("class", "line-" + kind)
        .attr("d", d3.svg.line().interpolate("step-before").x(at)
          .y(function (d) { return y(d[1]); }));
    });
    axes(g, d3.svg.axis().scale(x).orient("bottom").ticks(6, ",.3r"),
      d3.svg.axis().scale(y).orient("left").ticks(5, "%"),
      { x: "milliseconds", y: "share of the handshakes" });
  }

  /* What became of the connections of each second; marks are {at, text}. */
  function course(parent, seconds, marks) {
    var size = inner(), kinds = ["resumed", "full", "failed"];

    if (!seconds.length)
      return;
    legend(parent, kinds);
    var x = d3.scale.linear().domain([0, seconds.length])
      .range([0, size.width]);
    var y = d3.scale.linear().range([size.height, 0])
      .domain([0, d3.max(seconds, function (s) { return s.connections; }) || 1])
      .nice();
    var g = frame(parent, "Connections of each second by what became of them");
    seconds.forEach(function (second) {
      var below = 0;
      kinds.forEach(function (kind) {
        if (!second[kind])
          return;
        g.append("rect").attr("class", "fill-" + kind)
          .attr("x", x(second.second) + 0.5)
          .attr("width", Math.max(1, x(1) - x(0) - 1))
          .attr("y", y(below + second[kind]))
          .attr("height", y(below) - y(below + second[kind]))
          .append("title").text("second " + second.second + ": " +
            second[kind] + " " + kind);
        below += second[kind];
      });
    });
    marks.forEach(function (mark, i) {
      var one = g.append("g").attr("class", "mark");
      one.append("line").attr("x1", x(mark.at)).attr("x2", x(mark.at))
        .attr("y1", -4).attr("y2", size.height);
      one.append("text").attr("x", x(mark.at) + 3).attr("y", -6 - i % 2 * 11)
        .text(mark.text);
    });
    axes(g, d3.svg.axis().scale(x).orient("bottom").ticks(8),
      d3.svg.axis().scale(y).orient("left").ticks(5),
      { x: "second", y: marks.length ? "" : "connections a second" });
  }

  return { distribution: distribution, course: course };
}());
