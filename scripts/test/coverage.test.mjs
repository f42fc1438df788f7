// The coverage table has no gap, and would show one.
import assert from 'node:assert/strict'
import { test } from 'node:test'
import {
  countsOf, coverageTable, operationsOfOpenMls, ownMethods, parseEntry, problemsOf, publicMembers, readMapping,
} from '../lib/coverage.mjs'

test('every public operation of OpenMLS is offered, or there is a reason', async () => {
  const openMls = await operationsOfOpenMls()
  const mapping = readMapping()
  assert.deepEqual(problemsOf(openMls.operations, mapping, ownMethods()), [])
  const table = coverageTable(openMls, mapping)
  for (const { name } of openMls.operations) assert.ok(table.includes(`| \`${name}\` |`), name)
  const { offered, total } = countsOf(openMls.operations, mapping)
  console.log(`${total} operations: ${offered} offered, ${total - offered} not`)
})

test('OpenMLS is read completely', async () => {
  // Counted by rustdoc's JSON (`RUSTC_BOOTSTRAP=1 cargo rustdoc -p openmls -- -Zunstable-options --output-format json`),
  // which gave the same 310 operations by name, and 557 public methods in the crate, none of which was missing here.
  const { version, features, operations } = await operationsOfOpenMls()
  assert.equal(version, '0.9.2', 'count anew')
  const forks = features.includes('fork-resolution')
  const count = (type) => operations.filter((operation) => operation.type === type).length
  assert.deepEqual(
    { MlsGroup: count('MlsGroup'), CommitBuilder: count('CommitBuilder'), StagedCommit: count('StagedCommit'), Proposal: count('Proposal') },
    { MlsGroup: forks ? 87 : 85, CommitBuilder: forks ? 25 : 23, StagedCommit: 17, Proposal: 11 },
  )
  // One more than that with the feature `unchecked-conversions`.
  assert.equal(operations.length, forks ? 319 : 311)
})

const own = { rust: new Set(['send', 'group_info']), typeScript: new Set(['send', 'groupInfo']), source: 'group . members ( ) Options padding' }
const operation = (name) => ({ type: 'Group', name, key: `Group::${name}` })
const problems = (entries, name = 'members') => problemsOf([operation(name)], { typescript: { list: 'describe' }, operations: { Group: entries } }, own)

test('a gap of any kind is a problem', () => {
  assert.deepEqual(problems({ members: 'group_info' }), [])
  assert.deepEqual(problems({}), ['Group::members is not mapped'])
  assert.deepEqual(problems({ members: 'group_info', gone: 'send' }), ['Group::gone is mapped, but OpenMLS has no such operation'])
  assert.deepEqual(problems({ members: 'list' }), [
    'Group::members: MlsClient has no method list', 'Group::members: CoreCryptoClient has no method describe',
  ])
  assert.deepEqual(problems({ members: '-' }), ['Group::members is not offered, and no reason is given'])
  assert.deepEqual(problems({ members: '-: a private key' }), [])
})

test('an operation that the client never calls is offered only if it is said how', () => {
  assert.equal(problems({ epoch: 'group_info' }, 'epoch').length, 1)
  assert.deepEqual(problems({ epoch: 'group_info: counted' }, 'epoch'), [])
  assert.deepEqual(problems({ epoch: 'group_info: by `Options.padding`' }, 'epoch'), [])
  assert.deepEqual(problems({ epoch: 'group_info: by `Options.colour`' }, 'epoch'), ['Group::epoch: `Options.colour` is not in src/client'])
})

test('entries of the mapping', () => {
  assert.deepEqual(parseEntry('send, group_info: a remark: with a colon'), {
    rust: ['send', 'group_info'], typeScript: ['send', 'groupInfo'], remark: 'a remark: with a colon',
  })
  assert.deepEqual(parseEntry('send_message, send_with', { send_with: 'sendMessage' }), {
    rust: ['send_message', 'send_with'], typeScript: ['sendMessage'], remark: undefined,
  })
  assert.deepEqual(parseEntry('-: because'), { rust: [], typeScript: [], remark: 'because' })
})

test('only public members of the TypeScript classes count', () => {
  assert.deepEqual(publicMembers(`
    export class Client {
      static async open() {}
      get state() { return 1 }
      call() {}
      protected read() {}
      private write() {}
      #hidden() {}
      field = 1
    }
    class Other { second() {} }
    function free() {}
  `), ['open', 'state', 'call', 'second'])
})
