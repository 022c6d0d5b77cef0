"""The style sheet of the page. Colours are those of Okabe and Ito, which colour-blind people
can distinguish. A word, a shape or a dash always carries the same meaning."""

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #ffffff; --card: #f7f8f9; --ink: #1b1f24; --soft: #59636e; --line: #d5dae0;
  --grid: #e3e7eb; --blue: #0072b2; --vermilion: #c24f00; --pass: #00684a; --fail: #b03a00;
  --fault: #6b3fa0; --fault-faint: #6b3fa04d; --band: #6b3fa012; --foreign: #1b1f240a;
  --refused: #d55e00; --reset: #e69f00; --closed: #cc79a7; --timeout: #0072b2; --tls: #009e73;
  --status: #56b4e9; --malformed: #e3d300; --other: #8a929b;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #14171a; --card: #1b1f24; --ink: #e8ebee; --soft: #a3adb8; --line: #3a424b;
    --grid: #2b3138; --blue: #56b4e9; --vermilion: #ff9a52; --pass: #4fd0a5; --fail: #ff9a6b;
    --fault: #c3a1f0; --fault-faint: #c3a1f059; --band: #c3a1f01c; --foreign: #ffffff0d;
    --refused: #ff7a1f; --timeout: #3d97d8; --malformed: #f0e442; --other: #8a929b;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif; }
main, footer { max-width: 66rem; margin: 0 auto; padding: 0 1.5rem; }
header { padding: 3rem 0 .5rem; }
h1 { font-size: 2.1rem; line-height: 1.2; margin: 0 0 .9rem; font-weight: 650; letter-spacing: -.01em; }
h2 { font-size: 1.2rem; margin: 2.8rem 0 .8rem; font-weight: 650; }
h3 { font-size: 1.05rem; margin: 0; font-weight: 650; }
p { margin: 0 0 .8rem; }
.kicker { color: var(--soft); font-size: .9rem; margin: 0 0 .3rem; }
.summary { font-size: 1.25rem; line-height: 1.45; max-width: 50rem; }
.about { color: var(--soft); max-width: 46rem; }
.verdict strong { margin-right: .5rem; padding: .15rem .6rem; border: 1.5px solid; border-radius: .3rem; }
.warning { border-left: 3px solid var(--vermilion); padding: .1rem 0 .1rem .8rem; max-width: 46rem; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .noted { color: var(--soft); }
.pass, .fail { font-weight: 600; }
.off { text-decoration: underline; text-decoration-color: var(--fail); text-underline-offset: .2em; }
.hit { font-size: .75rem; font-weight: 600; color: var(--fault); border: 1px solid; border-radius: .25rem;
  padding: 0 .35rem; vertical-align: .1em; }
small { color: var(--soft); font-weight: 400; font-size: .85em; }
code { font: .88em/1.4 ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .92rem; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .4rem; font-size: .9rem; }
th, td { padding: .42rem .8rem .42rem 0; border-bottom: 1px solid var(--grid); text-align: right;
  vertical-align: baseline; }
td { white-space: nowrap; } .words td { white-space: normal; }
th:first-child, .words th, .words td { text-align: left; }
tr > :last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 500; border-color: var(--line); line-height: 1.3;
  vertical-align: bottom; }
tbody th { font-weight: 500; white-space: nowrap; }
.words td:last-child { min-width: 6.5rem; }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.3rem; margin: 0 0 1rem; padding: 0;
  font-size: .88rem; color: var(--soft); }
.legend li { display: inline-flex; align-items: center; }
.legend svg { width: 22px; height: 14px; margin-right: .45rem; }
.port { background: var(--card); border: 1px solid var(--grid); border-radius: .5rem; padding: 1.1rem 1.2rem .9rem;
  margin: 0 0 1.2rem; break-inside: avoid; }
.caption { color: var(--soft); font-size: .9rem; margin: .1rem 0 .6rem; }
.plot { overflow-x: auto; }
.plot svg { display: block; width: 100%; min-width: 42rem; height: auto; }
details { font-size: .92rem; margin-top: .4rem; }
summary { cursor: pointer; color: var(--soft); }
details[open] summary { margin-bottom: .6rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .3rem 1.2rem; font-size: .92rem;
  max-width: 50rem; }
dt { font-weight: 600; } dd { margin: 0; color: var(--soft); }
footer { color: var(--soft); font-size: .85rem; padding-top: 1.5rem; padding-bottom: 3rem; }
:focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }

svg text { font-size: 11.5px; fill: var(--soft); }
svg .panel-title { fill: var(--ink); font-size: 12px; }
svg .tick { font-variant-numeric: tabular-nums; }
svg .calm { fill: var(--soft); }
.axis { stroke: var(--soft); stroke-width: 1; } .grid { stroke: var(--grid); stroke-width: 1; }
.rate { fill: none; stroke: var(--blue); stroke-width: 1.6; }
.rate-area { fill: var(--blue); opacity: .13; }
.p50, .p99 { fill: none; stroke-width: 1.8; stroke-linejoin: round; }
.p50 { stroke: var(--blue); } .p99 { stroke: var(--vermilion); stroke-dasharray: 5 3; }
svg .p50-name { fill: var(--blue); font-weight: 600; } svg .p99-name { fill: var(--vermilion); font-weight: 600; }
.bar { stroke: var(--card); stroke-width: .6; }
.end { fill: var(--ink); } .end.keyholder, .end.connector { fill: none; stroke: var(--ink); stroke-width: 1.6; }
.fault-tick { fill: var(--fault); }
.fault-line { stroke: var(--fault); stroke-width: 1.2; stroke-dasharray: 2 2; }
.fault-line.many { stroke: var(--fault-faint); stroke-dasharray: none; }
svg .fault-label { fill: var(--fault); font-weight: 600; paint-order: stroke; stroke: var(--card);
  stroke-width: 5px; stroke-linejoin: round; }
svg .foreign-label { fill: var(--soft); }
.flood-band { fill: var(--band); stroke: var(--fault-faint); } .foreign-band { fill: var(--foreign); }
.refused { fill: var(--refused); } .reset { fill: var(--reset); } .closed { fill: var(--closed); }
.timeout { fill: var(--timeout); } .tls { fill: var(--tls); } .status { fill: var(--status); }
.malformed { fill: var(--malformed); } .other { fill: var(--other); }

@media (max-width: 40rem) {
  main, footer { padding: 0 1rem; } header { padding-top: 1.5rem; } h1 { font-size: 1.6rem; }
  .summary { font-size: 1.1rem; } .port { padding: .9rem .8rem; }
  dl { grid-template-columns: 1fr; gap: .1rem; } dd { margin-bottom: .5rem; }
}
@media print { .port { border-color: #bbb; } body { font-size: 12px; } }
"""
