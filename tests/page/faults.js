// A hand on the write transactions of the crypto client's databases; those of the app's history are left alone.

const realTransaction = IDBDatabase.prototype.transaction
const realPut = IDBObjectStore.prototype.put

const kinds = {
  /** The transaction is aborted with its requests queued. */
  'abort early': (transaction) => queueMicrotask(() => transaction.abort()),
  /** It is aborted when all its requests have succeeded, instead of being committed. */
  'abort late': (transaction) => { transaction.commit = () => transaction.abort() },
  /** It is aborted at its second put, by someone else: an error in the middle of queueing. */
  'abort between': (transaction) => { transaction.faultyPut = (count) => { if (count === 2) transaction.abort() } },
  /** The disk is full, as told by an exception of the put. */
  quota: (transaction) => {
    transaction.faultyPut = () => { throw new DOMException('the disk is full', 'QuotaExceededError') }
  },
  /** The browser closes the connection: the transaction is aborted, the connection is unusable and has its event. */
  'connection lost': (transaction) => queueMicrotask(() => {
    const database = transaction.db
    transaction.abort()
    database.close()
    database.dispatchEvent(new Event('close'))
  }),
  /** It does not end until released, as on a disk that hangs. */
  hold: (transaction) => {
    transaction.commit = () => {
      const store = transaction.objectStore(transaction.objectStoreNames[0])
      const again = () => {
        if (faults.kind === 'hold') store.count().onsuccess = again
      }
      again()
    }
  },
}

export const faults = {
  kind: undefined,
  /** How many write transactions go well before the fault. */
  after: 0,
  /** How many write transactions began, met the fault, are complete, were aborted. */
  begun: 0,
  met: 0,
  complete: 0,
  aborted: 0,
  waiting: [],
  changed: () => { for (const wake of faults.waiting.splice(0)) wake() },

  begin(kind, after = 0) {
    Object.assign(faults, { kind, after, met: 0 })
  },

  /** Ends the fault; what met it has to cope. A transaction that was held is committed. */
  end() {
    faults.kind = undefined
  },

  /** Settles when `count` transactions have met the fault. */
  async meets(count) {
    while (faults.met < count) await new Promise((resolve) => faults.waiting.push(resolve))
  },

  /** Settles when at least `count` transactions were aborted since the page was loaded. */
  async aborts(count) {
    while (faults.aborted < count) await new Promise((resolve) => faults.waiting.push(resolve))
  },
}

IDBDatabase.prototype.transaction = function (stores, mode, options) {
  const transaction = realTransaction.call(this, stores, mode, options)
  if (mode !== 'readwrite' || !this.name.startsWith('openmls-wasm ')) return transaction
  faults.begun += 1
  transaction.addEventListener('complete', () => { faults.complete += 1; faults.changed() })
  transaction.addEventListener('abort', () => { faults.aborted += 1; faults.changed() })
  if (faults.kind !== undefined) {
    if (faults.after > 0) {
      faults.after -= 1
    } else {
      faults.met += 1
      faults.changed()
      kinds[faults.kind](transaction)
    }
  }
  return transaction
}

IDBObjectStore.prototype.put = function (...args) {
  const { transaction } = this
  if (transaction.faultyPut !== undefined) {
    transaction.puts = (transaction.puts ?? 0) + 1
    transaction.faultyPut(transaction.puts)
  }
  return realPut.apply(this, args)
}
