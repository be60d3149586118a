/** The status page: who calls in, for people, without scripts and without anything from elsewhere. */

import { count } from "../count.ts";
import { Markup, markup } from "./markup.ts";
import { PAGE_STYLE } from "./page_style.ts";
import type { HostReport, StatusReport } from "./report.ts";
import {
  A_DAY,
  ageText,
  countSilence,
  knownSince,
  type SilenceCounts,
  silenceOf,
  utcText,
} from "./silence.ts";

/** The page of a report, as HTML; a thousand hosts take 10 ms. */
export function pageOf(report: StatusReport): string {
  const { version, faults, hosts } = report;
  const counts = countSilence(report, A_DAY);
  const title = [
    ...faults.length > 0 ? [count(faults.length, "fault")] : [],
    `${counts.silent}${counts.moreSilent} of ${count(counts.all, "host")} silent`,
    "sftdyn",
  ].join(" · ");
  // It does not load itself again: that would take the page away while somebody reads it.
  return markup`<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="robots" content="noindex">
<title>${title}</title>
<style>${new Markup(PAGE_STYLE)}</style>
</head>
<body>
<header>
<h1>Who calls in</h1>
<p>as of <time datetime="${report.time}">${utcText(report.time)}</time>
<a class="reload" href="">load again</a></p>
</header>
<main>
${figuresOf(report, counts)}
${faultsOf(faults)}
${hosts.length === 0 ? markup`<p>There are no hosts.</p>` : tableOf(report)}
${leftOut(report.hosts_left_out)}
</main>
<footer>
<p>Times of calls, changes and faults are kept in memory alone: they begin anew with each start of sftdyn.
An address is what the nameserver said last.</p>
<p>sftdyn ${version}. For programs: <a href="hosts.json">hosts.json</a>,
<a href="metrics">metrics</a>, <a href="health">health</a>.</p>
</footer>
</body>
</html>
`.text;
}

function figuresOf(report: StatusReport, counts: SilenceCounts): Markup {
  const { all, silent, unknown, moreSilent, moreUnknown } = counts;
  const young =
    markup`<li><strong>${unknown}${moreUnknown}</strong> not called yet: too early to tell</li>\n`;
  return markup`<ul class="figures">
<li><strong>${all}</strong> ${all === 1 ? "host" : "hosts"}</li>
<li class="${
    silent > 0 ? "warn" : "good"
  }"><strong>${silent}${moreSilent}</strong> not called for a day</li>
${unknown > 0 ? young : ""}<li><strong>${ageText(report.since, report)}</strong> on record, since
<time datetime="${report.since}">${utcText(report.since)}</time></li>
</ul>`;
}

function faultsOf(faults: readonly string[]): Markup {
  if (faults.length === 0) return markup`<section class="health"><p>No faults.</p></section>`;
  return markup`<section class="health faulty" aria-labelledby="faults">
<h2 id="faults">${count(faults.length, "fault")}</h2>
<ul>${faults.map((fault) => markup`<li>${fault}</li>`)}</ul>
</section>`;
}

function tableOf(report: StatusReport): Markup {
  return markup`<table>
<caption>Who has been silent longest comes first.</caption>
<thead><tr><th scope="col">Host</th><th scope="col">Addresses</th><th scope="col">Last call</th>
<th scope="col">Answer</th><th scope="col">Last change</th><th scope="col">Last fault</th></tr></thead>
<tbody>
${report.hosts.map((host) => rowOf(host, report))}</tbody>
</table>`;
}

function rowOf(host: HostReport, report: StatusReport): Markup {
  const { last_call, from, answer, last_change, last_fault, fault } = host;
  const call = last_call === null
    ? [markup`not since`, timeOf(knownSince(host, report), utcText(knownSince(host, report)))]
    : [agoOf(last_call, report), markup`from ${foldable(from!)}`];
  const isGood = answer === "OK" || answer === "UPTODATE";
  return markup`<tr class="${silenceOf(host, report, A_DAY)}"><th scope="row">${
    foldable(host.host)
  }</th>
<td>${addressesOf(host)}</td>
<td><div class="call">${call[0]!}</div><small>${call[1]!}</small></td>
${cell(answer && markup`<div class="${isGood ? "good" : "bad"}">${answer}</div>`)}
${cell(last_change && markup`<div>${agoOf(last_change, report)}</div>`)}
${cell(last_fault && markup`<div>${agoOf(last_fault, report)}</div><small>${fault!}</small>`)}</tr>
`;
}

function cell(content: Markup | null | ""): Markup {
  return content ? markup`<td>${content}</td>` : markup`<td class="none">–</td>`;
}

/** The addresses; without any, which records there are none of. */
function addressesOf({ a, aaaa }: HostReport): Markup | Markup[] {
  const known = [{ type: "A", text: a }, { type: "AAAA", text: aaaa }]
    .flatMap(({ type, text }) => text === null ? [] : [{ type, text }]);
  if (known.length === 0) return markup`<span class="unknown">not known</span>`;
  const addresses = known.filter(({ text }) => text !== "none");
  return (addresses.length > 0 ? addresses : known)
    .map(({ type, text }) =>
      markup`<div class="address"><b>${type}</b> <span>${foldable(text)}</span></div>`
    );
}

/** A long name or IPv6 address, which may be broken behind a dot or colon. */
function foldable(text: string): string | Markup[] {
  const parts = text.length < 24 ? [] : text.split(text.includes(":") ? /(?<=:)/ : /(?<=[a-z]\.)/);
  return parts.length > 1 ? parts.map((part) => markup`${part}<wbr>`) : text;
}

function agoOf(time: string, report: StatusReport): Markup {
  return timeOf(time, `${ageText(time, report)} ago`);
}

function timeOf(time: string, text: string): Markup {
  return markup`<time datetime="${time}" title="${utcText(time)}">${text}</time>`;
}

function leftOut(number: number): Markup | string {
  if (number === 0) return "";
  return markup`<p>${count(number, "more host")} called later than these: see
<a href="hosts.json">hosts.json</a>.</p>`;
}
