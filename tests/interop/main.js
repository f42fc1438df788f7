// The page of the interop test: four members of one group, two of each implementation, and what a delivery service does
// for them, which is to hand every message to all the others. After every step all of them are closed and opened again.
import { utf8, wireFormat } from './bytes.js'
import { CoreCryptoMember } from './core-crypto-member.js'
import { TsMlsMember } from './ts-mls-member.js'

const messages = 200
const commits = 20
/** In which order each receiver gets five messages: no one is more than five generations late, our tolerance. */
const orders = [[4, 0, 3, 1, 2], [2, 4, 1, 3, 0], [4, 3, 2, 1, 0]]

function expect(actual, expected, what) {
  const [got, wanted] = [actual, expected].map((value) => JSON.stringify(value))
  if (got !== wanted) throw new Error(`${what}: ${got}, expected ${wanted}`)
}

class Room {
  /** The founder, then one of the other implementation, then one more of each. */
  static async open({ founder, handshakes }) {
    const room = new Room()
    room.handshakeFormat = handshakes === 'public' ? 1 : 2
    const [first, second] = founder === 'CoreCryptoClient' ? [CoreCryptoMember, TsMlsMember] : [TsMlsMember, CoreCryptoMember]
    const kinds = { anna: first, ben: second, cleo: first, dave: second }
    room.all = await Promise.all(Object.entries(kinds).map(([name, kind]) => kind.open(name, { handshakes })))
    room.members = []
    return room
  }

  async close() {
    await Promise.all(this.all.map((person) => person.close()))
  }

  others(member) {
    return this.members.filter((other) => other !== member)
  }

  /** A commit of `member` to all the others of the group as it was. */
  async relay(member, commit, format = this.handshakeFormat) {
    expect(wireFormat(commit), format, 'wire format of a commit')
    for (const other of this.others(member)) await other.follow(commit)
  }

  async propose(member, proposal, format = this.handshakeFormat) {
    expect(wireFormat(proposal), format, 'wire format of a proposal')
    for (const other of this.others(member)) await other.consider(proposal)
  }

  /** Everybody has the same epoch, secrets and members; also when all have been closed and opened again. */
  async agree() {
    const names = this.members.map(({ name }) => name).sort()
    for (const reopened of [false, true]) {
      if (reopened) await this.reopen()
      const [first, ...rest] = await Promise.all(this.members.map((member) => member.view()))
      expect(first.members, names, 'members')
      rest.forEach((view, at) => expect(view, first, `${this.members[at + 1].name}, reopened: ${reopened}`))
    }
  }

  async reopen() {
    await Promise.all(this.members.map((member) => member.reopen()))
  }

  async say(member, words) {
    const message = await member.say(words)
    for (const other of this.others(member)) await this.hears(other, message, member, words)
  }

  async hears(other, message, member, words) {
    this.expectHeard(other, await other.hear(message), member, words)
  }

  expectHeard(other, heard, member, words) {
    expect(heard?.words, words, `${other.name} hears ${member.name}`)
    // ts-mls tells neither.
    if (other instanceof TsMlsMember) return
    expect([heard.sender, heard.data], [member.name, `data of ${member.name}`], 'sender and authenticated data')
  }
}

let room

/** Each is a test; they build on each other. */
const steps = {
  'key package, add, join': async () => {
    const [anna, ben, ...rest] = room.all
    await anna.createGroup()
    const alone = await anna.add([await ben.keyPackage()])
    await ben.join(alone.welcome)
    room.members = [anna, ben]
    await room.agree()
    const two = await ben.add(await Promise.all(rest.map((person) => person.keyPackage())))
    await room.relay(ben, two.commit)
    for (const person of rest) await person.join(two.welcome)
    room.members = [...room.all]
    await room.agree()
  },

  [`${messages} messages`]: async () => {
    for (let number = 0; number < messages; number += 1) {
      await room.say(room.members[number % room.members.length], `message ${number}`)
      if (number % 25 === 24) await room.reopen()
    }
    await room.agree()
  },

  'out of order': async () => {
    for (const member of room.members) {
      const spoken = []
      for (let number = 0; number < 5; number += 1) spoken.push(await member.say(`${member.name} ${number}`))
      for (const [at, other] of room.others(member).entries()) {
        for (const number of orders[at]) {
          await room.hears(other, spoken[number], member, `${member.name} ${number}`)
          await other.reopen()
        }
        expect(await other.hear(spoken[2]), undefined, `${other.name} hears twice`)
      }
    }
    for (const member of room.members) await room.say(member, 'and on')
    await room.agree()
  },

  [`${commits} alternating commits`]: async () => {
    for (let number = 0; number < commits; number += 1) {
      const member = room.members[number % room.members.length]
      await room.relay(member, await member.commit())
      await room.agree()
      await room.say(room.members[(number + 1) % room.members.length], `after commit ${number}`)
    }
  },

  'messages overtaken by a commit, and before it': async () => {
    for (const [at, speaker] of room.members.entries()) {
      const committer = room.members[(at + 1) % room.members.length]
      const late = await speaker.say('late')
      const commit = await committer.commit()
      const early = await committer.say('early')
      for (const other of room.others(committer)) {
        // ts-mls cannot keep what it cannot decrypt yet.
        const keeps = other instanceof CoreCryptoMember
        if (keeps) expect(await other.hear(early), undefined, `${other.name} hears early`)
        await other.reopen()
        await other.follow(commit)
        const heard = keeps ? await other.heardEarly() : [await other.hear(early)]
        expect(heard.length, 1, `messages that ${other.name} hears with the commit`)
        room.expectHeard(other, heard[0], committer, 'early')
      }
      for (const other of room.others(speaker)) await room.hears(other, late, speaker, 'late')
      await room.agree()
    }
  },

  'commits with a pre-shared key': async () => {
    const psk = { id: utf8('the key'), key: utf8('that they have from elsewhere') }
    for (const member of room.members) await member.storePsk(psk)
    for (const member of room.members) {
      await room.relay(member, await member.commitPsk(psk))
      await room.agree()
      await room.say(member, 'with the key')
    }
  },

  remove: async () => {
    const [anna, ben, cleo, dave] = room.all
    for (const [remover, removed] of [[anna, dave], [ben, cleo]]) {
      await room.relay(remover, await remover.remove(removed.name))
      expect(await removed.isMember(), false, `${removed.name} is still a member`)
      room.members = room.others(removed)
      await room.agree()
      for (const member of room.members) await room.say(member, `without ${removed.name}`)
    }
  },

  // Always a PublicMessage (RFC 9420 §12.4.3.2), whatever is agreed for other handshakes.
  'external commit': async () => {
    const [anna, ben, cleo, dave] = room.all
    for (const [host, guest] of [[anna, dave], [ben, cleo]]) {
      await room.relay(guest, await guest.joinExternally(await host.groupInfo()), 1)
      room.members.push(guest)
      await room.agree()
      for (const member of room.members) await room.say(member, `with ${guest.name}`)
    }
  },

  'leave, by a proposal that another commits': async () => {
    const [anna, ben, cleo, dave] = room.all
    for (const [leaving, committer] of [[dave, anna], [cleo, ben]]) {
      await room.propose(leaving, await leaving.leave())
      await room.reopen()
      const { commit } = await committer.commitProposals()
      await room.relay(committer, commit)
      expect(await leaving.isMember(), false, `${leaving.name} is still a member`)
      room.members = room.others(leaving)
      await room.agree()
      for (const member of room.members) await room.say(member, `${leaving.name} has left`)
    }
  },

  // By a proposal of somebody who is no member, which is always a PublicMessage (RFC 9420 §12.1.8).
  'ask to be added': async () => {
    const [anna, ben, cleo, dave] = room.all
    for (const [asking, committer] of [[dave, anna], [cleo, ben]]) {
      await room.propose(asking, await asking.askToJoin(await committer.groupInfo()), 1)
      const { commit, welcome } = await committer.commitProposals()
      await room.relay(committer, commit)
      await asking.join(welcome)
      room.members.push(asking)
      await room.agree()
      for (const member of room.members) await room.say(member, `${asking.name} is there`)
    }
  },
}

window.interop = {
  steps: Object.keys(steps),
  begin: async (options) => { room = await Room.open(options) },
  run: (step) => steps[step](),
  end: () => room?.close(),
}
