// Aborts write transactions as a full or failing disk does: after their requests were queued.
const transaction = IDBDatabase.prototype.transaction
let aborted = 0

export function startAborting() {
  aborted = 0
  IDBDatabase.prototype.transaction = function (stores, mode, options) {
    const made = transaction.call(this, stores, mode, options)
    if (mode === 'readwrite') {
      aborted += 1
      queueMicrotask(() => made.abort())
    }
    return made
  }
}

export function stopAborting() {
  IDBDatabase.prototype.transaction = transaction
  return aborted
}
