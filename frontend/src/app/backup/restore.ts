import { deleteDB } from 'idb';
import type { CoreCryptoClient, VaultUnlock } from 'openmls-wasm';
import { parseIdentity, toHex } from '../../delivery/bytes.ts';
import { BringingBack, readBackup } from '../../history/backup.ts';
import { History } from '../../history/history.ts';
import { cryptoDatabase, historyDatabase, madeProfile, saveProfile, type Profile } from '../profile.ts';
import { identify, openDatabase, SessionError, type Candidate, type Opened, type Report } from '../session.ts';

export interface RestoreProgress {
  what: 'opening' | 'back';
  /** Of records. */
  count: number;
}

export interface RestoreOrder {
  profile: Profile;
  /** The database, if it is there already, without an identity; otherwise it is made. */
  opened: Opened | undefined;
  file: Blob;
  /** Of the file. */
  passphrase: string;
  /** How this browser protects what is stored; undefined: in the clear. */
  unlock: VaultUnlock | undefined;
  /** Kept by the client for as long as it lives. */
  report: Report;
  onProgress: (progress: RestoreProgress) => void;
}

/**
 * Makes this browser's databases out of a backup. All or nothing: whatever fails, they are deleted again, and after a kill in the
 * middle `dropUnfinished` does that. Nothing is lost by it, for all that is in them is in the file, and nobody has heard of
 * this client yet. Rejects with a `code`.
 */
export function bringBack(order: RestoreOrder): Promise<Candidate> {
  return alone(order.profile, async () => {
    const { profile, unlock, report } = order;
    await saveProfile({ ...profile, restoring: true });
    let { opened } = order;
    try {
      opened ??= await openDatabase(profile, unlock, false, report);
      return await fill(opened, order);
    } catch (error) {
      await opened?.client.close();
      await drop(profile);
      throw error;
    }
  });
}

/** What there is of a backup that was being brought back when the page was closed. */
export async function dropUnfinished(profile: Profile): Promise<Profile> {
  return profile.restoring === true ? alone(profile, () => drop(profile)) : profile;
}

async function fill(opened: Opened, { file, passphrase, onProgress }: RestoreOrder): Promise<Candidate> {
  const { client } = opened;
  onProgress({ what: 'opening', count: 0 });
  const { appData } = await client.importSnapshot(file, { passphrase });
  const identity = await client.identity();
  if (identity === undefined) throw new SessionError('foreign-backup');
  await fillHistory(opened, parseIdentity(identity.identity), appData, onProgress);
  // Known to the delivery service: only who is signed in can make a backup.
  const { restoring: _, ...profile }: Profile = { ...madeProfile(opened.profile), registered: true, restored: true };
  await saveProfile(profile);
  const candidate = await identify({ ...opened, profile });
  if (candidate === undefined) throw new SessionError('foreign-backup');
  void navigator.storage?.persist?.().catch(() => undefined);
  return candidate;
}

async function fillHistory(
  { client, profile, sealed }: Opened,
  own: { user: string; client: string },
  content: Blob | undefined,
  onProgress: (progress: RestoreProgress) => void,
): Promise<void> {
  const bringing = new BringingBack(await inertGroups(client));
  const history = await History.open(historyDatabase(profile), own, { vault: sealed ? client : undefined });
  try {
    let count = 0;
    for await (const some of readBackup(content, own)) {
      await history.bringBack(some.map((one) => bringing.take(one)));
      count += some.length;
      onProgress({ what: 'back', count });
    }
    await history.bringBack(bringing.rest(Date.now()));
  } finally {
    history.close();
  }
}

/** The groups that can be joined anew, in hex. */
async function inertGroups(client: CoreCryptoClient): Promise<ReadonlySet<string>> {
  const inert = new Set<string>();
  for (let after: Uint8Array | undefined; ; ) {
    const { groups, next } = await client.groupSummaries({ after, limit: 1000 });
    for (const { groupId, role } of groups) if (role === 'inert') inert.add(toHex(groupId));
    if (next === undefined) return inert;
    after = next;
  }
}

/** Another tab must not take what is being brought back for something unfinished. */
async function alone<T>(profile: Profile, work: () => Promise<T>): Promise<T> {
  return navigator.locks.request(`chat restore ${profile.id}`, { ifAvailable: true }, (lock) => {
    if (lock === null) throw new SessionError('already-open');
    return work();
  });
}

/** As if nobody had tried. */
async function drop(profile: Profile): Promise<Profile> {
  await Promise.all([deleteDB(cryptoDatabase(profile)), deleteDB(historyDatabase(profile))]);
  const { restoring: _, ...before } = profile;
  await saveProfile(before);
  return before;
}
