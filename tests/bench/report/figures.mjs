// Which charts there are: cost against members, retained epochs and groups, each beside its baselines.
import { median, spread } from '../statistics.mjs'
import { lineChart } from './charts.mjs'

const point = (x, blocks) => {
  const { median: y, low, high } = spread(blocks.flat())
  return { x, y, low, high }
}

export function figures({ samples, about }) {
  return [bytesByMembers, timeByMembers, bytesByEpochs, timeByEpochs, openingByGroups, memoryByGroups].map((figure) => figure(samples, about)).join('\n')
}

function byteLines(groups, xOf) {
  const line = (name, kind, of) => ({ name, kind, points: groups.map((group) => ({ x: xOf(group), y: of(group) })) })
  const middle = (written, of) => median(written.map(of))
  return [
    line('encrypt', 'ours', ({ encrypt }) => middle(encrypt, ({ bytes }) => bytes)),
    line('decrypt', 'ours-2', ({ decrypt }) => middle(decrypt, ({ bytes }) => bytes)),
    line('encrypt, with keys', 'raw', ({ encrypt }) => middle(encrypt, ({ bytes, keys }) => bytes + keys)),
  ]
}

const unique = (groups, of) => groups.filter((group, index) => groups.findIndex((other) => of(other) === of(group)) === index)

function bytesByMembers({ groupBytes = [] }, { retained }) {
  const groups = unique(groupBytes.filter((group) => group.retained === retained), ({ members }) => members)
  return lineChart({
    title: 'Bytes written per message', note: `everybody has spoken, ${retained} retained epochs`, x: 'members', y: 'bytes', isLog: true,
    limit: { value: 2000, text: 'limit at 1,000 members' }, lines: byteLines(groups, ({ members }) => members),
  })
}

function bytesByEpochs({ groupBytes = [] }, { large }) {
  const groups = unique(groupBytes.filter((group) => group.members === large), ({ retained }) => retained).sort((one, other) => one.retained - other.retained)
  return lineChart({
    title: 'Bytes written per message', note: `${large.toLocaleString('en')} members`, x: 'retained epochs', y: 'bytes',
    limit: { value: 2000, text: 'limit' }, lines: byteLines(groups, ({ retained }) => retained),
  })
}

/** @param index which part of an arm's name says where on the axis it is */
function armLine(results, arm, index, name, kind) {
  const points = Object.entries(results ?? {}).filter(([key]) => key.startsWith(`${arm}-`)).map(([key, blocks]) => point(Number(key.split('-')[index]), blocks))
  return { name, kind, points: points.sort((one, other) => one.x - other.x) }
}

function timeByMembers({ groupAwaited = {} }, { native }) {
  const { relaxed, strict } = groupAwaited
  return lineChart({
    title: 'Time of an awaited encrypt', note: 'median and quartiles', x: 'members', y: 'ms', isLog: true,
    lines: [
      armLine(strict, 'stored', 1, 'durable, strict', 'ours'),
      armLine(relaxed, 'stored', 1, 'durable, relaxed', 'ours-2'),
      armLine(relaxed, 'memory', 1, 'in memory', 'memory'),
      armLine(relaxed, 'raw', 1, 'raw IndexedDB, relaxed', 'raw'),
      { name: 'native, in memory', kind: 'native', points: relaxed ? Object.entries(native).map(([members, { encrypt }]) => ({ x: Number(members), y: encrypt })) : [] },
    ],
  })
}

function timeByEpochs({ epochsAwaited }, { large }) {
  return lineChart({
    title: 'Time of an awaited encrypt', note: `${large.toLocaleString('en')} members, relaxed`, x: 'retained epochs', y: 'ms',
    lines: [
      armLine(epochsAwaited, 'stored', 2, 'durable', 'ours'),
      armLine(epochsAwaited, 'memory', 2, 'in memory', 'memory'),
      armLine(epochsAwaited, 'raw', 2, 'raw IndexedDB', 'raw'),
    ],
  })
}

function openingByGroups({ opening }) {
  return lineChart({
    title: 'Open → first encrypt', note: 'median and quartiles', x: 'groups', y: 'ms', isLog: true,
    lines: [
      armLine(opening?.results, 'open', 1, 'openmls-wasm', 'ours'),
      armLine(opening?.results, 'raw', 1, 'raw IndexedDB, the same records', 'raw'),
    ],
  })
}

function memoryByGroups({ opening }) {
  const points = Object.entries(opening?.memory ?? {}).map(([groups, sizes]) => ({ x: Number(groups), y: median(sizes) / 1e6 }))
  return lineChart({ title: 'Memory of the wasm after it', x: 'groups', y: 'MB', isLog: true, lines: [{ name: 'openmls-wasm', kind: 'ours', points }] })
}
