// Reads and changes databases behind the client's back.
import { deleteDB, openDB } from 'idb'

const cryptoDatabase = (user) => `openmls-wasm ${user}`
const ours = new Set(['meta', 'incoming'])

async function withDatabase(name, use) {
  const database = await openDB(name)
  try {
    return await use(database)
  } finally {
    database.close()
  }
}

const plain = (value) => (value instanceof Uint8Array ? `bytes ${[...value]}` : JSON.stringify(value))

async function dumpOne(name) {
  return withDatabase(name, async (database) => {
    const content = {}
    for (const store of database.objectStoreNames) {
      const [keys, values] = await Promise.all([database.getAllKeys(store), database.getAll(store)])
      keys.forEach((key, at) => { content[`${name}: ${store}/${key}`] = plain(values[at]) })
    }
    return content
  })
}

export const databases = {
  /** All records of all databases of this user: place → bytes. */
  async dump(user) {
    const names = (await indexedDB.databases()).map(({ name }) => name).filter((name) => name.endsWith(` ${user}`))
    return Object.assign({}, ...(await Promise.all(names.sort().map(dumpOne))))
  },

  /** Everything in all databases of this user, as it is, to be put back later; stays in the page. */
  async copy(user) {
    const names = (await indexedDB.databases()).map(({ name }) => name).filter((name) => name.endsWith(` ${user}`))
    return Promise.all(names.map((name) => withDatabase(name, async (database) => {
      const stores = await Promise.all([...database.objectStoreNames].map(async (store) => {
        const [keys, values] = await Promise.all([database.getAllKeys(store), database.getAll(store)])
        return { store, entries: keys.map((key, at) => [key, values[at]]) }
      }))
      return { name, stores }
    })))
  },

  /** Puts back what `copy` has found, and nothing else stays. */
  async putBack(copies) {
    for (const { name, stores } of copies) {
      await withDatabase(name, async (database) => {
        const transaction = database.transaction(stores.map(({ store }) => store), 'readwrite')
        for (const { store, entries } of stores) {
          const into = transaction.objectStore(store)
          void into.clear()
          for (const [key, value] of entries) void (into.keyPath === null ? into.put(value, key) : into.put(value))
        }
        await transaction.done
      })
    }
  },

  get: (user, store, key) => withDatabase(cryptoDatabase(user), (database) => database.get(store, key)),

  /** Puts a record; without a value, removes it. */
  put: (user, store, key, value) => withDatabase(cryptoDatabase(user), (database) =>
    value === undefined || value === null ? database.delete(store, key) : database.put(store, value, key)),

  /** The records of the crypto client; of these categories only, if given. Values are arrays, for the way out of the page. */
  records: (user, categories) => withDatabase(cryptoDatabase(user), async (database) => {
    const found = []
    for (const category of [...database.objectStoreNames].filter((name) => !ours.has(name) && (categories?.includes(name) ?? true))) {
      for (const key of await database.getAllKeys(category)) {
        found.push({ category, key, value: [...(await database.get(category, key))] })
      }
    }
    return found
  }),

  damage: (user, category, key, how) => withDatabase(cryptoDatabase(user), async (database) => {
    const value = await database.get(category, key)
    const damaged = {
      'cut short': () => value.slice(0, -1),
      empty: () => new Uint8Array(),
      'one byte more': () => new Uint8Array([...value, 0]),
      text: () => 'text',
      'nothing but zeros': () => new Uint8Array(value.length),
    }[how]()
    await database.put(category, damaged, key)
  }),

  /** A copy of a user's crypto database, of a higher version than any the package knows. */
  async copyWithHigherVersion(user, to) {
    await deleteDB(cryptoDatabase(to))
    await withDatabase(cryptoDatabase(user), async (database) => {
      const stores = [...database.objectStoreNames]
      const copy = await openDB(cryptoDatabase(to), 1000, {
        upgrade: (made) => stores.forEach((store) => made.createObjectStore(store)),
      })
      for (const store of stores) {
        for (const key of await database.getAllKeys(store)) await copy.put(store, await database.get(store, key), key)
      }
      copy.close()
    })
  },
}
