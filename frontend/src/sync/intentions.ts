import type { GroupInfo, OutboxEntry } from 'openmls-wasm';
import { addressText, parseIdentity, toHex } from '../delivery/bytes.ts';
import { isRefused } from '../delivery/errors.ts';
import { comparePlaces } from '../history/order.ts';
import { encodePayload } from '../history/payload.ts';
import type { Intention } from '../history/types.ts';
import { codeOf, newId, type SyncContext } from './context.ts';

/** How often an invitation is committed anew after losing its epoch to another member's commit. */
const maxAttempts = 10;

type Invitation = Intention & { kind: 'add' };

/**
 * Carries out what the user wants of one group. Every step looks at the group as it is now, does at most one
 * thing and is called again until there is nothing left: so a commit that lost its epoch is simply made again.
 */
export class Intentions {
  private readonly conversation: string;
  /** The epoch in which this client last proposed to leave. */
  private proposedIn: bigint | undefined;

  constructor(
    private readonly context: SyncContext,
    private readonly groupId: Uint8Array,
  ) {
    this.conversation = toHex(groupId);
  }

  /** Those of this group, failed ones included. */
  async all(): Promise<Intention[]> {
    return (await this.context.history.intentions()).filter(({ conversation }) => conversation === this.conversation);
  }

  /** Those still to be carried out. */
  async open(): Promise<Intention[]> {
    return (await this.all()).filter(({ failure }) => failure === undefined);
  }

  /**
   * Up to which sequence messages of the outbox may be uploaded. Those written after an invitation wait for it, so
   * that whoever was invited can read them, also when all of it happened offline.
   */
  async barrier(): Promise<number> {
    const invitations = (await this.open()).flatMap((intention) => (intention.kind === 'add' ? [intention.after] : []));
    return Math.min(Infinity, ...invitations);
  }

  /** Does one thing; `true` when the group should be looked at again. Only with no commit pending. */
  async step(info: GroupInfo): Promise<boolean> {
    const open = await this.open();
    const leave = open.find((intention) => intention.kind === 'leave');
    if (leave !== undefined) return this.leave(info);
    const [next] = open.sort((a, b) => comparePlaces(place(a), place(b)));
    if (next === undefined) return false;
    if (next.kind === 'name') return this.announceName(next.id, next.name);
    return next.kind === 'add' ? this.add(next, info) : false;
  }

  /** The delivery service refused a commit for good: what it was made for has failed. */
  async commitRefused(id: string, code: string): Promise<void> {
    if (code === 'past-epoch') return; // Lost to another commit: done again in the next epoch.
    const invitation = await this.invitationOf(id);
    if (invitation !== undefined) await this.fail(invitation, code);
  }

  /**
   * Whether a commit adds nobody but the user it was made to invite. The delivery service chose the key packages: it
   * could slip somebody in. Asked before every upload, and only there: a crash between the two cannot lose it.
   */
  async addsOnlyInvited(commit: OutboxEntry): Promise<boolean> {
    if (commit.added.length === 0) return true;
    const invitation = await this.invitationOf(commit.id);
    // Without its invitation (the history was lost) it cannot be told, and the commit may have been ordered already.
    if (invitation === undefined) return true;
    return commit.added.every(({ identity }) => parseIdentity(identity).user === invitation.user);
  }

  private async invitationOf(commit: string): Promise<Invitation | undefined> {
    const invitations = (await this.all()).filter((intention): intention is Invitation => intention.kind === 'add');
    return invitations.find((invitation) => invitation.commit === commit);
  }

  async fail(intention: Intention, failure: string): Promise<void> {
    await this.context.history.putIntention({ ...intention, failure });
    this.context.events.emit('members', this.conversation);
  }

  async done(id: string): Promise<void> {
    await this.context.history.dropIntention(id);
    this.context.events.emit('members', this.conversation);
  }

  private async announceName(id: string, name: string): Promise<boolean> {
    const { client, handOver } = this.context;
    const known = (await client.outbox()).some((entry) => entry.id === id);
    if (!known) await client.sendMessage(this.groupId, encodePayload({ type: 'name', name, at: Date.now() }), id);
    await this.done(id);
    handOver.kick();
    return true;
  }

  private async add(intention: Invitation, info: GroupInfo): Promise<boolean> {
    const { client, delivery, history } = this.context;
    const { user } = intention;
    try {
      if (intention.anew === true) return await this.removeFirst(intention, info);
      const missing = await this.missingClients(user, info);
      if (missing.size === 0) {
        if (intention.attempts === 0) await this.fail(intention, 'already-member');
        else await this.done(intention.id);
        return true;
      }
      if (intention.attempts >= maxAttempts) {
        await this.fail(intention, 'too-many-conflicts');
        return true;
      }
      const taken = await delivery.takeKeyPackages(user, [...missing]);
      const keyPackages = taken.filter(({ client: id }) => missing.has(id)).map(({ keyPackage }) => keyPackage);
      if (keyPackages.length === 0) {
        await this.fail(intention, 'no-key-package');
        return true;
      }
      const commit = newId();
      // Before the commit: one that is in the outbox can be told from then on what it is for.
      await history.putIntention({ ...intention, attempts: intention.attempts + 1, commit });
      await client.addMembers(this.groupId, keyPackages, commit);
      return true;
    } catch (error) {
      if (isRefused(error)) {
        await this.fail(intention, error.code);
        return true;
      }
      if (isBadKeyPackage(error)) {
        await this.fail(intention, 'invalid-key-package');
        return true;
      }
      throw error;
    }
  }

  /**
   * Of an invitation anew, which a device needs that has set its damaged group aside: a member cannot be added, and a
   * device that was removed can. Two commits, for the delivery service takes no change of members that is none.
   */
  private async removeFirst(invitation: Invitation, info: GroupInfo): Promise<boolean> {
    const { client, history } = this.context;
    const members = info.members.filter(
      ({ leafIndex, identity }) => leafIndex !== info.ownLeafIndex && parseIdentity(identity).user === invitation.user,
    );
    if (members.length === 0) {
      const { anew: _, commit: __, ...rest } = invitation;
      await history.putIntention(rest);
      return true;
    }
    if (invitation.attempts >= maxAttempts) {
      await this.fail(invitation, 'too-many-conflicts');
      return true;
    }
    const commit = newId();
    await history.putIntention({ ...invitation, attempts: invitation.attempts + 1, commit });
    await client.removeMembers(this.groupId, members.map(({ leafIndex }) => leafIndex), commit);
    return true;
  }

  /** The user's clients that are not members yet. */
  private async missingClients(user: string, info: GroupInfo): Promise<Set<string>> {
    const members = new Set(info.members.map(({ identity }) => addressText(parseIdentity(identity))));
    const clients = await this.context.delivery.clientsOf(user);
    return new Set(clients.map(({ client }) => client).filter((client) => !members.has(addressText({ user, client }))));
  }

  /**
   * Leaving takes all of this user's devices out: this client removes the others by a commit and then proposes
   * its own removal, which another member commits (a member cannot commit its own removal, RFC 9420 §12.2).
   */
  private async leave(info: GroupInfo): Promise<boolean> {
    const { client } = this.context;
    const others = info.members.filter(({ leafIndex }) => leafIndex !== info.ownLeafIndex);
    if (others.length === 0) return false; // Nobody to tell: the group is closed by its owner, see GroupSync.
    const ownDevices = others.filter(({ identity }) => parseIdentity(identity).user === this.context.own.user);
    if (ownDevices.length > 0 && ownDevices.length < others.length) {
      if (info.pendingProposals > 0) return false;
      await client.removeMembers(this.groupId, ownDevices.map(({ leafIndex }) => leafIndex));
      return true;
    }
    if (this.proposedIn === info.epoch || (await this.hasProposal())) return false;
    this.proposedIn = info.epoch;
    try {
      await client.leaveGroup(this.groupId);
      return true;
    } catch (error) {
      if (codeOf(error) === 'leave-pending') return false; // Proposed before a restart, in this very epoch.
      this.proposedIn = undefined;
      throw error;
    }
  }

  private async hasProposal(): Promise<boolean> {
    const outbox = await this.context.client.outbox();
    return outbox.some((entry) => entry.kind === 'proposal' && toHex(entry.groupId) === this.conversation);
  }
}

/** Invitations in the order in which they were made, and then the name, once for all of them. */
function place(intention: Intention): number {
  return intention.kind === 'add' ? intention.after : Infinity;
}

function isBadKeyPackage(error: unknown): boolean {
  const code = codeOf(error);
  return code === 'invalid-key-package' || code === 'commit-rejected';
}
