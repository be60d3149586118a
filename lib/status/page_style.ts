/** How the status page looks: on a screen of any width, light or dark, and on paper. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --paper: #fcfcfa; --ink: #1d1f1b; --soft: #5d6158; --line: #dcded6; --tint: #f2f3ee;
  --warn: #8a4b00; --bad: #a8172c; --good: #1a6a3c;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #151714; --ink: #e6e8e1; --soft: #a2a79b; --line: #353932; --tint: #1e211d;
    --warn: #f2b661; --bad: #ff9089; --good: #82d3a0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; padding: 1.5rem 1.5rem 3rem; max-width: 84rem;
  background: var(--paper); color: var(--ink);
  font: 1rem/1.45 system-ui, sans-serif; font-variant-numeric: tabular-nums;
  overflow-wrap: anywhere; -webkit-text-size-adjust: 100%; text-size-adjust: 100%;
}
a { color: inherit; text-underline-offset: .15em; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline; }
h1 { margin: 0; font-size: 1.5rem; line-height: 1.2; }
h2 { margin: 0 0 .25rem; font-size: 1rem; }
header p, footer { color: var(--soft); font-size: .9rem; }
header p { margin: 0; }
.reload { white-space: nowrap; }
.figures { display: flex; flex-wrap: wrap; gap: .5rem 2.6rem; margin: 1.5rem 0; padding: 0; list-style: none; }
.figures strong { display: block; font-size: 1.75rem; font-weight: 600; line-height: 1.15; }
.figures .warn strong { color: var(--warn); }
.health { margin: 1.5rem 0; padding: .6rem 1rem; border: 1px solid var(--line); border-left: .3rem solid var(--good); }
.health p, .health ul { margin: 0; }
.health ul { padding-left: 1.2rem; }
.faulty { border-left-color: var(--bad); }
.faulty h2 { color: var(--bad); }
table { width: 100%; border-collapse: collapse; }
caption { padding: 0 0 .75rem; color: var(--soft); font-size: .9rem; text-align: left; }
th, td { padding: .55rem .75rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border-bottom: 2px solid var(--line); color: var(--soft); font-size: .85rem; white-space: nowrap; }
tbody th { font-weight: 600; }
tbody tr:hover { background: var(--tint); }
th:first-child { border-left: .3rem solid transparent; }
.silent th { border-left-color: var(--warn); }
.silent .call { color: var(--warn); font-weight: 600; }
.bad { color: var(--bad); font-weight: 600; }
td small { display: block; color: var(--soft); font-size: .85rem; }
.address { display: grid; grid-template-columns: 2.6rem minmax(0, auto); gap: .3rem; justify-content: start; font-size: .9rem; line-height: 1.6; }
.address b { color: var(--soft); font-size: .85rem; font-weight: 400; white-space: nowrap; }
span.unknown, .none { color: var(--soft); }
footer { margin-top: 2rem; }
footer p { margin: .4rem 0; }
@media screen and (min-width: 68.01rem) {
  table { table-layout: fixed; }
  th:nth-child(1) { width: 21%; }
  th:nth-child(3) { width: 20%; }
  th:nth-child(4) { width: 7rem; }
  th:nth-child(5) { width: 9rem; }
}
@media screen and (max-width: 68rem) {
  body { padding: 1rem 1rem 2rem; }
  table, caption, tbody, tr, th, td { display: block; }
  thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
  tbody { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: .75rem; }
  tr { padding: .7rem .9rem; border: 1px solid var(--line); border-left: .3rem solid var(--line); }
  tr.silent { border-left-color: var(--warn); }
  th, td, th:first-child { padding: .15rem 0; border: 0; }
  tbody th { padding-bottom: .3rem; font-size: 1.05rem; }
  td { display: grid; grid-template-columns: 5.9rem minmax(0, 1fr); }
  td.none { display: none; }
  td::before { grid-row: 1 / span 9; color: var(--soft); font-size: .85rem; line-height: 1.7; }
  td > * { grid-column: 2; }
  td:nth-child(2)::before { content: "Addresses"; }
  td:nth-child(3)::before { content: "Last call"; }
  td:nth-child(4)::before { content: "Answer"; }
  td:nth-child(5)::before { content: "Last change"; }
  td:nth-child(6)::before { content: "Last fault"; }
}
@media screen and (max-width: 24rem) {
  body { padding: .75rem .75rem 2rem; }
}
@media print {
  :root { --paper: #fff; --ink: #000; --soft: #444; --line: #bbb; --warn: #000; --bad: #000; --good: #000; font-size: 8pt; }
  body { padding: 0; max-width: none; }
  th, td { padding: .4rem .5rem; }
  td:nth-child(4) { white-space: nowrap; }
  .address { grid-template-columns: 2.6rem auto; white-space: nowrap; }
  tr { break-inside: avoid; }
  .reload { display: none; }
}
`;
