// What the vault costs, against the same in the clear.
import { ratio } from '../statistics.mjs'
import { msRow, ratioRow } from './row.mjs'

const limits = { awaited: 1.15, opening: 1.2 }

export function vaultRows({ vaultAwaited = {}, vaultOpening }) {
  const rows = (id, text, { plain, sealed }, limit) => [
    ratioRow(id, `${text}: sealed against in the clear`, ratio(sealed, plain), limit),
    msRow(`${id}-sealed-ms`, '  sealed', sealed),
    msRow(`${id}-plain-ms`, '  in the clear', plain),
  ]
  return [
    ...Object.entries(vaultAwaited).flatMap(([durability, samples]) =>
      rows(`vault-awaited-${durability}`, `awaited encrypt, ${durability}`, samples, limits.awaited)),
    ...(vaultOpening ? rows('vault-opening', 'open → first encrypt, 10000 groups', vaultOpening, limits.opening) : []),
  ]
}
