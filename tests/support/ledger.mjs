// What is known outside of the browsers of what happened inside them, and what follows from it.

export class Ledger {
  #released = new Map()
  #bytes = new Map()
  #acknowledged = new Map()
  #handed = new Map()
  #waiting = []
  #findings = []
  #decrypter
  #queue = []

  /** From now on every ciphertext is given to this witness, who took part in nothing else. */
  witnessedBy(decrypter) {
    this.#decrypter = decrypter
  }

  /** A report of `user`'s page. */
  add(user, report) {
    if (report.kind === 'released') this.#releasedBy(user, report)
    if (report.kind === 'upload') this.#ciphertext(user, report.id, report.bytes)
    if (report.kind === 'received' && report.item === 'failed') this.#findings.push(`${user} cannot read ${report.id}: ${report.code}`)
    if (report.kind === 'handed') this.#handedTo(user, report.items)
    if (report.kind === 'acknowledged') for (const id of report.ids) this.#acknowledged.set(`${user} ${id}`, true)
    this.#waiting = this.#waiting.filter((waiter) => {
      if (waiter.user !== user || waiter.kind !== report.kind) return true
      waiter.left -= 1
      if (waiter.left > 0) return true
      waiter.resolve()
      return false
    })
  }

  /** Settles with the `count`-th report of that kind from now on. */
  nth(user, kind, count) {
    return new Promise((resolve) => this.#waiting.push({ user, kind, left: count, resolve }))
  }

  killed(user) {
    this.#waiting = this.#waiting.filter((waiter) => waiter.user !== user)
  }

  /** How many sends have settled so far. */
  settled() {
    return this.#released.size
  }

  #releasedBy(user, { id, message, bytes, text }) {
    if (message === 'message' && text !== undefined) this.#released.set(id, { user, text, bytes })
    if (bytes !== null) this.#ciphertext(user, id, bytes)
  }

  /** Something that has left the crypto client: no other may ever bear its id, or share its generation. */
  #ciphertext(user, id, bytes) {
    const known = this.#bytes.get(id)
    if (known === bytes) return
    if (known !== undefined) this.#findings.push(`${user} uploads ${id} with other bytes than before`)
    this.#bytes.set(id, bytes)
    this.#queue.push({ user, id, bytes })
  }

  /** Handed over again is right after a crash, until it was acknowledged; the id is what tells the app. */
  #handedTo(user, items) {
    for (const { id, text } of items) {
      if (this.#acknowledged.has(`${user} ${id}`)) this.#findings.push(`${user} is handed ${id} again after acknowledging it`)
      if (text === undefined) continue
      const before = this.#handed.get(`${user} ${text}`)
      if (before !== undefined && before !== id) this.#findings.push(`${user} is handed "${text}" as ${before} and as ${id}`)
      this.#handed.set(`${user} ${text}`, id)
    }
  }

  /** @returns {string[]} what is not as promised, given the delivery service's log */
  findings(log) {
    this.#decryptAll()
    const found = [...this.#findings]
    const logged = new Map(log.map((entry) => [entry.id, entry]))
    for (const [id, { user, text, bytes }] of this.#released) {
      const entry = logged.get(id)
      if (entry === undefined) found.push(`${user}: "${text}" was sent, and is not in the log`)
      else if (entry.bytes !== bytes) found.push(`${user}: "${text}" is in the log with other bytes than were released`)
      else if (entry.text !== text) found.push(`${user}: "${text}" is "${entry.text}" in the log`)
    }
    for (const { id, bytes, position, sender } of log) {
      const known = this.#bytes.get(id)
      if (known !== undefined && known !== bytes) found.push(`${sender}: position ${position} has other bytes than were uploaded`)
    }
    return found
  }

  #decryptAll() {
    for (const { user, id, bytes } of this.#queue.splice(0)) {
      const failure = this.#decrypter?.decrypt(bytes)
      if (failure !== undefined) this.#findings.push(`${user}: ${id} cannot be decrypted, its generation is used twice? ${failure}`)
    }
  }
}
