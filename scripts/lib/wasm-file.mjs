// The little of the WebAssembly binary format that the build needs (WebAssembly core specification, §5.5).

/** @returns {{id: number, name?: string, start: number, body: number, end: number}[]} sections; offsets into `bytes` */
export function sections(bytes) {
  const found = []
  let at = 8
  while (at < bytes.length) {
    const start = at
    const id = bytes[at]
    const [size, body] = unsigned(bytes, at + 1)
    const end = body + size
    const section = { id, start, body, end }
    if (id === 0) [section.name, section.body] = text(bytes, body)
    found.push(section)
    at = end
  }
  return found
}

/** The module without its custom sections of these names. */
export function withoutCustomSections(bytes, names) {
  const kept = sections(bytes).filter((section) => section.id !== 0 || !names.includes(section.name))
  return Buffer.concat([bytes.subarray(0, 8), ...kept.map(({ start, end }) => bytes.subarray(start, end))])
}

/** @returns {{name: string, size: number}[]} every function of the code section, with its name where it has one */
export function functions(bytes) {
  const all = sections(bytes)
  const code = all.find(({ id }) => id === 10)
  if (!code) return []
  const names = functionNames(bytes, all.find(({ id, name }) => id === 0 && name === 'name'))
  const found = []
  let [count, at] = unsigned(bytes, code.body)
  for (let index = importedFunctions(bytes, all); count > 0; count--, index++) {
    const [size, body] = unsigned(bytes, at)
    at = body + size
    found.push({ name: names.get(index) ?? '', size })
  }
  return found
}

/** @returns {Buffer[]} the code of every function, without its size */
export function functionBodies(bytes) {
  const bodies = []
  let [count, at] = unsigned(bytes, sections(bytes).find(({ id }) => id === 10).body)
  for (; count > 0; count--) {
    const [size, body] = unsigned(bytes, at)
    at = body + size
    bodies.push(bytes.subarray(body, at))
  }
  return bodies
}

/** An unsigned LEB128 number, as bytes. */
export function leb128(value) {
  const bytes = []
  for (; value > 0x7f; value = Math.floor(value / 128)) bytes.push((value % 128) | 0x80)
  return Buffer.from([...bytes, value])
}

function functionNames(bytes, section) {
  const names = new Map()
  if (!section) return names
  for (let at = section.body; at < section.end; ) {
    const [size, body] = unsigned(bytes, at + 1)
    if (bytes[at] === 1) {
      let [count, entry] = unsigned(bytes, body)
      for (; count > 0; count--) {
        const [index, afterIndex] = unsigned(bytes, entry)
        const [name, next] = text(bytes, afterIndex)
        names.set(index, name)
        entry = next
      }
    }
    at = body + size
  }
  return names
}

/** How many functions are imported: those of the code section are counted from there on. */
export function importedFunctions(bytes, all = sections(bytes)) {
  const section = all.find(({ id }) => id === 2)
  if (!section) return 0
  let [count, at] = unsigned(bytes, section.body)
  let imported = 0
  for (; count > 0; count--) {
    at = text(bytes, text(bytes, at)[1])[1]
    const kind = bytes[at++]
    if (kind === 0) { imported++; at = unsigned(bytes, at)[1] }
    else if (kind === 1) at = limits(bytes, at + 1)
    else if (kind === 2) at = limits(bytes, at)
    else if (kind === 3) at += 2
    else at = unsigned(bytes, at + 1)[1]
  }
  return imported
}

function limits(bytes, at) {
  const hasMaximum = bytes[at] & 1
  const next = unsigned(bytes, at + 1)[1]
  return hasMaximum ? unsigned(bytes, next)[1] : next
}

/** An unsigned LEB128 number and the offset after it. */
export function unsigned(bytes, at) {
  let value = 0
  for (let scale = 1; ; scale *= 128) {
    const byte = bytes[at++]
    value += (byte & 0x7f) * scale
    if (byte < 0x80) return [value, at]
  }
}

function text(bytes, at) {
  const [length, start] = unsigned(bytes, at)
  return [bytes.subarray(start, start + length).toString('utf8'), start + length]
}
