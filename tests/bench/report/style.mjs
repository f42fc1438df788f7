// How the page looks, in light and dark.
export const style = `
:root { color-scheme: light dark; --page: #fbfbfa; --card: #fff; --text: #1c1d1f; --soft: #62666d; --rule: #e3e4e6;
  --ours: #1f5fd0; --ours-2: #0a9396; --memory: #c2570c; --raw: #83878f; --native: #6d4bb8; --pass: #17703c; --pass-back: #e2f4e8; --miss: #b3261e; --miss-back: #fbe6e4; }
@media (prefers-color-scheme: dark) { :root { --page: #131416; --card: #1b1d20; --text: #e9eaec; --soft: #a0a5ad; --rule: #303338;
  --ours: #7aa9ff; --ours-2: #4fd1c5; --memory: #f2a25c; --raw: #8f959e; --native: #b79cf2; --pass: #7bd69b; --pass-back: #17351f; --miss: #ff9d94; --miss-back: #47201d; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1180px; padding: 28px 24px 60px; background: var(--page); color: var(--text); font: 14px/1.5 system-ui, sans-serif; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 16px; margin: 34px 0 8px; } p { margin: 6px 0; }
header p, .note, small { color: var(--soft); } .note { max-width: 78ch; font-size: 13px; }
.verdict { display: inline-block; border-radius: 5px; padding: 1px 8px; font-weight: 600; }
.verdict.pass { color: var(--pass); background: var(--pass-back); } .verdict.miss { color: var(--miss); background: var(--miss-back); }
.missed { margin: 6px 0; padding-left: 20px; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(340px, 1fr)); gap: 16px; margin-top: 22px; }
figure { margin: 0; padding: 14px 14px 8px; display: flex; flex-direction: column; background: var(--card); border: 1px solid var(--rule); border-radius: 8px; }
figcaption small { display: block; min-height: 1.5em; } figure > svg { display: block; width: 100%; height: auto; margin-top: auto; overflow: visible; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 14px; margin: 4px 0 2px; font-size: 12px; color: var(--soft); } .key svg { margin-right: 6px; vertical-align: middle; }
.tick, .axis { fill: var(--soft); font-size: 11px; } .grid { stroke: var(--rule); }
.line polyline { fill: none; stroke-width: 2; } .line circle { stroke: var(--card); stroke-width: 1.5; } .spread { stroke-width: 1.5; opacity: .55; } .key line { stroke-width: 2.5; }
${['ours', 'ours-2', 'memory', 'raw', 'native'].map((kind) => `.${kind} polyline, .${kind} line { stroke: var(--${kind}); } .${kind} circle { fill: var(--${kind}); }`).join('\n')}
.raw polyline, .memory polyline, .native polyline { stroke-dasharray: 5 4; } .key.raw line, .key.memory line, .key.native line { stroke-dasharray: 5 4; }
.limit line { stroke: var(--miss); stroke-dasharray: 2 3; } .limit text { fill: var(--miss); font-size: 11px; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: 13px; } th { text-align: left; font-weight: 500; color: var(--soft); }
th, td { padding: 3px 14px 3px 0; border-bottom: 1px solid var(--rule); vertical-align: baseline; } .number { text-align: right; white-space: nowrap; font-variant-numeric: tabular-nums; }
tr.depth-0 td:first-child, .depth-0 .value, .is-ours td { font-weight: 600; } tr.depth-2 td:first-child { padding-left: 18px; color: var(--soft); } tr.depth-4 td:first-child { padding-left: 36px; color: var(--soft); }
`
