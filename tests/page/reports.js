// Tells the test what leaves the crypto client, what leaves the page and what is handed to the app, each before anything
// is done with it.
import { fromBase64Url, toBase64Url } from '../../frontend/src/delivery/bytes.ts'
import { decodePayload } from '../../frontend/src/history/payload.ts'

/** Not awaited by those who must not pause: a report that gets lost in the kill is one check less. */
export const report = (kind, detail) => (window.reportToTest ? window.reportToTest({ kind, ...detail }) : Promise.resolve())

const releases = new Set(['sendMessage', 'renewOutbox', 'addMembers', 'removeMembers', 'selfUpdate', 'commitPendingProposals', 'leaveGroup'])

/** The client, with each settled call reported. */
export function reportingClient(client) {
  let sent = () => {}
  const nextSend = () => new Promise((resolve) => { sent = resolve })
  return new Proxy(client, {
    get(_, name) {
      if (name === 'nextSend') return nextSend
      const value = client[name]
      if (typeof value !== 'function') return value
      if (releases.has(name)) {
        return async (...args) => {
          const entry = await value.apply(client, args)
          const { id, kind, bytes, plaintext, welcome } = entry
          void report('released', {
            id, message: kind, bytes: bytes && toBase64Url(bytes), text: plaintext && decodePayload(plaintext)?.text,
            ...(welcome && { welcome: toBase64Url(welcome) }),
          })
          if (name === 'sendMessage') sent()
          return entry
        }
      }
      if (name === 'receiveMessage') {
        return async (...args) => {
          const item = await value.apply(client, args)
          if (item !== undefined) void report('received', { id: item.id, item: item.kind, code: item.code })
          return item
        }
      }
      if (name === 'acknowledgeInbox') {
        return async (ids) => {
          await value.call(client, ids)
          void report('acknowledged', { ids })
        }
      }
      return value.bind(client)
    },
  })
}

/** The history, with each hand-over reported. */
export function reportingHistory(history) {
  const takeOver = history.takeOver.bind(history)
  history.takeOver = async (items, ...rest) => {
    void report('handed', {
      items: items.map(({ id, kind, plaintext }) => ({ id, kind, text: plaintext && decodePayload(plaintext)?.text })),
    })
    await takeOver(items, ...rest)
  }
  return history
}

/** A test can keep uploads from leaving the page: then nobody learns of the others' commits, and all commit in one epoch. */
export const uploads = {
  held: undefined,
  hold() {
    uploads.held = new Promise((resolve) => { uploads.letGo = () => { uploads.held = undefined; resolve() } })
  },
}

/** `fetch`, but the test has what is uploaded before the network has. */
export async function reportingFetch(input, init) {
  if (init?.method === 'POST' && /\/(messages|commits)$/.test(String(input))) {
    const { id, message, commit } = JSON.parse(init.body)
    await report('upload', { id, commit: commit !== undefined, bytes: toBase64Url(fromBase64Url(message ?? commit)) })
    await uploads.held
  }
  return fetch(input, init)
}
