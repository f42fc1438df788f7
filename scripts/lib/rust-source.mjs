// What a Rust crate offers to others, read from its source: inherent methods and enum variants, with cfg and modules
// followed as the compiler does. Made for `npm run coverage`, which must read OpenMLS as the build sees it: rustdoc's JSON
// is for nightly compilers only, and tree-sitter and syn do not expand macros either.
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * @typedef {{type: string, name: string, stage: string, public: boolean, file: string, line: number, doc: string}} Method
 *   `stage`: the type arguments of the impl block, such as `<'a, Initial, G>`; `doc`: the first line of its documentation
 * @typedef {{type: string, variants: string[], file: string}} Enum
 */

/**
 * The methods of inherent impl blocks, public or not, and the public enums of a crate.
 * @param {string} libPath its lib.rs
 * @param {{features: Iterable<string>}} options the cargo features that are on
 * @returns {{methods: Method[], enums: Enum[]}}
 */
export function readCrate(libPath, { features }) {
  const reader = new Reader(new Set(features))
  reader.file(libPath, dirname(libPath))
  reader.expandMacros()
  return { methods: reader.methods, enums: reader.enums }
}

/**
 * The tokens of Rust code: identifiers, literals, lifetimes, single punctuation characters, and documentation comments.
 * @returns {{kind: 'word' | 'literal' | 'punctuation' | 'doc', text: string, line: number}[]}
 */
export function tokensOf(source) {
  const pattern = new RegExp([
    String.raw`(?<doc>\/\/\/(?!\/)[^\n]*)`,
    String.raw`(?<comment>\/\/[^\n]*)`,
    String.raw`(?<block>\/\*)`,
    String.raw`(?<raw>(?:br|cr|r)(?<hashes>#*)"[\s\S]*?"\k<hashes>(?!#))`,
    String.raw`(?<string>[bc]?"(?:[^"\\]|\\[\s\S])*")`,
    String.raw`(?<char>b?'(?:[^'\\\n]|\\(?:x..|u\{[^}]*\}|.))')`,
    String.raw`(?<word>'?(?:r#)?[A-Za-z_]\w*)`,
    String.raw`(?<number>\d[\w.]*?(?=\.\.|[^\w.]|\.\D|$))`,
    String.raw`(?<punctuation>[^\s\w])`,
  ].join('|'), 'g')
  const tokens = []
  let line = 1
  let counted = 0
  for (let match; (match = pattern.exec(source)); ) {
    for (; counted < match.index; counted++) if (source[counted] === '\n') line++
    const { doc, comment, block, word, punctuation } = match.groups
    if (comment !== undefined) continue
    if (block !== undefined) pattern.lastIndex = endOfBlockComment(source, match.index)
    else if (doc !== undefined) tokens.push({ kind: 'doc', text: doc.slice(3).trim(), line })
    else if (word !== undefined) tokens.push({ kind: 'word', text: word, line })
    else if (punctuation !== undefined) tokens.push({ kind: 'punctuation', text: punctuation, line })
    else tokens.push({ kind: 'literal', text: match[0], line })
  }
  return tokens
}

/** Block comments of Rust nest. */
function endOfBlockComment(source, start) {
  const mark = /\/\*|\*\//g
  mark.lastIndex = start
  let depth = 0
  for (let match; (match = mark.exec(source)); ) {
    depth += match[0] === '/*' ? 1 : -1
    if (depth === 0) return mark.lastIndex
  }
  return source.length
}

const closing = { '{': '}', '(': ')', '[': ']' }

class Reader {
  methods = []
  enums = []
  #features
  /** Token trees of the bodies of `macro_rules!`, and the places that use a macro. */
  #macros = new Map()
  #uses = []

  constructor(features) {
    this.#features = features
  }

  file(path, folder) {
    this.#items({ tokens: tokensOf(readFileSync(path, 'utf8')), path, folder })
  }

  /**
   * Reads items until the tokens end.
   * @param {{tokens: object[], path: string, folder: string, impl?: {type: string, stage: string}}} place `folder` is
   *   where the files of its child modules are
   */
  #items(place) {
    const { tokens } = place
    for (let at = 0; at < tokens.length; ) {
      const item = this.#attributes(tokens, at)
      const end = endOfItem(tokens, item.at)
      if (item.enabled && end > item.at) this.#item(place, tokens.slice(item.at, end), item)
      at = Math.max(end, item.at + 1)
    }
  }

  /** Reads what stands before an item: documentation and attributes. */
  #attributes(tokens, at) {
    const found = { at, enabled: true, doc: '', path: undefined }
    for (;;) {
      const token = tokens[found.at]
      if (token?.kind === 'doc') {
        found.doc ||= token.text
        found.at++
      } else if (token?.text === '#' && ['[', '!'].includes(tokens[found.at + 1]?.text)) {
        const open = tokens[found.at + 1].text === '!' ? found.at + 2 : found.at + 1
        const end = endOfGroup(tokens, open)
        const inside = tokens.slice(open + 1, end - 1)
        if (inside[0]?.text === 'cfg') found.enabled &&= this.#cfg(inside.slice(2, -1))
        if (inside[0]?.text === 'path') found.path = inside.at(-1).text.slice(1, -1)
        found.at = end
      } else {
        return found
      }
    }
  }

  /** Whether a predicate of `cfg` holds: natively or in wasm, without tests. */
  #cfg(tokens) {
    const [{ text: name }] = tokens
    if (tokens[1]?.text === '(') {
      const parts = splitAtCommas(tokens.slice(2, -1)).map((part) => this.#cfg(part))
      if (name === 'not') return !parts[0]
      return name === 'all' ? parts.every(Boolean) : parts.some(Boolean)
    }
    if (name === 'feature') return this.#features.has(tokens.at(-1).text.slice(1, -1))
    return name === 'target_arch'
  }

  #item(place, tokens, { doc, path }) {
    const visibility = endOfVisibility(tokens)
    const isPublic = visibility === 1
    const rest = tokens.slice(visibility)
    const at = rest.findIndex((token) => !['const', 'async', 'unsafe', 'extern', 'default'].includes(token.text) && token.kind !== 'literal')
    const keyword = rest[at]?.text
    const name = rest[at + 1]
    if (keyword === 'mod') this.#module(place, rest.slice(at), path)
    else if (keyword === 'impl') this.#impl(place, rest.slice(at))
    else if (keyword === 'macro_rules') this.#macros.set(rest[at + 2].text, rest.slice(at + 3))
    else if (keyword === 'enum' && isPublic) this.#enum(place, rest.slice(at))
    else if (keyword === 'fn' && place.impl) {
      this.methods.push({ ...place.impl, name: name.text, public: isPublic, file: place.path, line: name.line, doc })
    } else if (rest[at]?.kind === 'word' && name?.text === '!') {
      this.#uses.push({ place, name: keyword, tokens: rest.slice(at + 2) })
    }
  }

  #module(place, [, { text: name }, ...rest], path) {
    if (rest[0]?.text === '{') {
      return this.#items({ ...place, impl: undefined, tokens: rest.slice(1, -1), folder: join(place.folder, name) })
    }
    const flat = join(place.folder, path ?? `${name}.rs`)
    const file = existsSync(flat) ? flat : join(place.folder, name, 'mod.rs')
    this.file(file, join(place.folder, name))
  }

  #impl(place, tokens) {
    const body = tokens.findIndex((token) => token.text === '{')
    let header = tokens.slice(1, body)
    if (header[0]?.text === '<') header = header.slice(endOfAngles(header, 0))
    const where = header.findIndex((token) => token.text === 'where')
    if (where >= 0) header = header.slice(0, where)
    // `for<'a>` belongs to a bound; `for Type` makes it the implementation of a trait.
    if (header.some((token, at) => token.text === 'for' && header[at + 1]?.text !== '<')) return
    const open = header.findIndex((token) => token.text === '<')
    const type = (open < 0 ? header : header.slice(0, open)).at(-1).text
    const stage = open < 0 ? '' : header.slice(open).map(({ text }) => text).join('')
    this.#items({ ...place, tokens: tokens.slice(body + 1, -1), impl: { type, stage } })
  }

  #enum(place, tokens) {
    const body = tokens.findIndex((token) => token.text === '{')
    const variants = []
    for (const part of splitAtCommas(tokens.slice(body + 1, -1))) {
      const { at, enabled } = this.#attributes(part, 0)
      if (enabled && part[at]) variants.push(part[at].text)
    }
    this.enums.push({ type: tokens[1].text, variants, file: place.path })
  }

  /** The methods that a macro of the crate makes inside an impl block: a function whose name is the macro's parameter. */
  expandMacros() {
    for (const { place, name, tokens } of this.#uses) {
      const body = this.#macros.get(name)
      if (!place.impl || !body) continue
      const wildcards = [...parametersOf(body)]
      const given = splitAtCommas(tokens.slice(1, -1)).map((part) => part.find((token) => token.kind !== 'doc'))
      for (let at = 0; at < body.length; at++) {
        if (body[at].text !== 'fn' || body[at + 1].text !== '$') continue
        const argument = given[wildcards.indexOf(body[at + 2].text)]
        const visibility = body.slice(Math.max(0, at - 2), at).map(({ text }) => text)
        this.methods.push({
          ...place.impl, name: argument.text, public: visibility.at(-1) === 'pub', file: place.path, line: argument.line, doc: '',
        })
      }
    }
  }
}

/** The names of a macro's parameters, of its first rule. */
function* parametersOf(body) {
  const end = endOfGroup(body, body.findIndex((token, at) => at > 0 && token.text in closing))
  for (let at = 0; at < end; at++) {
    if (body[at].text === '$' && body[at + 2]?.text === ':') yield body[at + 1].text
  }
}

function endOfVisibility(tokens) {
  if (tokens[0]?.text !== 'pub') return 0
  return tokens[1]?.text === '(' ? endOfGroup(tokens, 1) : 1
}

/** Behind the item that starts at `at`: a `;`, or the end of its braces. */
function endOfItem(tokens, at) {
  for (let index = at; index < tokens.length; ) {
    const { text } = tokens[index]
    if (text === ';') return index + 1
    if (text === '{') {
      const end = endOfGroup(tokens, index)
      // A brace ends an item, except in `use a::{b};`, `static X: [u8; { 1 }] = …;` and the like.
      return ['use', 'const', 'static', 'type', 'let'].includes(keywordOf(tokens, at)) ? throughSemicolon(tokens, end) : end
    }
    index = text in closing ? endOfGroup(tokens, index) : index + 1
  }
  return tokens.length
}

function keywordOf(tokens, at) {
  const rest = tokens.slice(at, at + 12)
  const from = endOfVisibility(rest)
  return rest[from]?.text === 'const' && ['fn', 'unsafe', 'async'].includes(rest[from + 1]?.text) ? 'fn' : rest[from]?.text
}

function throughSemicolon(tokens, at) {
  for (let index = at; index < tokens.length; ) {
    const { text } = tokens[index]
    if (text === ';') return index + 1
    index = text in closing ? endOfGroup(tokens, index) : index + 1
  }
  return tokens.length
}

/** Behind the bracket that closes the one at `open`. */
function endOfGroup(tokens, open) {
  let depth = 0
  for (let index = open; index < tokens.length; index++) {
    const { text, kind } = tokens[index]
    if (kind !== 'punctuation') continue
    if (text in closing) depth++
    else if (Object.values(closing).includes(text) && --depth === 0) return index + 1
  }
  return tokens.length
}

/** Behind the `>` that closes the `<` at `open`; the `>` of an arrow closes nothing. */
function endOfAngles(tokens, open) {
  let depth = 0
  for (let index = open; index < tokens.length; index++) {
    const { text } = tokens[index]
    if (text === '<') depth++
    else if (text === '>' && tokens[index - 1]?.text !== '-' && --depth === 0) return index + 1
  }
  return tokens.length
}

function splitAtCommas(tokens) {
  const parts = [[]]
  for (let index = 0; index < tokens.length; ) {
    const { text } = tokens[index]
    if (text === ',') {
      parts.push([])
      index++
      continue
    }
    const end = text in closing ? endOfGroup(tokens, index) : index + 1
    parts.at(-1).push(...tokens.slice(index, end))
    index = end
  }
  return parts.filter((part) => part.length > 0)
}
