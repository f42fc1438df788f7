import { databaseState, rotateDataKey, sealDatabase, vaultInfo, type VaultInfo, type VaultUnlock } from 'openmls-wasm';
import { isRefused } from '../delivery/errors.ts';
import { codeOf } from '../sync/context.ts';
import type { UnsavedMessage } from '../sync/states.ts';
import { dropUnfinished } from './backup/restore.ts';
import { openUnsent, sealUnsent } from './drafts.ts';
import { stayOutOfPageCache } from './page-cache.ts';
import { cryptoDatabase, isMade, isPlainWanted, loadProfile, type Profile } from './profile.ts';
import {
  abandonUnused,
  identify,
  ofVault,
  openDatabase,
  register,
  startSession,
  type Candidate,
  type Opened,
  type Report,
  type Session,
  type WorkProgress,
} from './session.ts';

/** What the app is at, from opening the page to the chat and back to a locked one. */
export type Stage =
  | { at: 'loading'; progress?: WorkProgress }
  /** `opened`: how it is protected was chosen before, but no name. */
  | { at: 'start'; profile: Profile; opened?: Opened }
  | { at: 'locked'; locked: Locked; progress?: WorkProgress }
  | { at: 'name-refused'; candidate: Candidate; code: string }
  | { at: 'unregistered'; candidate: Candidate }
  | { at: 'chat'; session: Session }
  | { at: 'error'; code: string };

export interface Locked {
  profile: Profile;
  info: VaultInfo;
  /** Locked by the user, not by leaving the page: the client is there, and knows nothing any more. */
  opened?: Opened;
  /** What had not been saved, sealed. */
  unsent?: Uint8Array | undefined;
  /** Why it could not be unlocked. */
  problem?: string;
}

/** Looks what there is before anything is opened or made (promise G6). */
export async function openProfile(report: Report): Promise<Stage> {
  try {
    await stayOutOfPageCache();
    const profile = await dropUnfinished(await loadProfile());
    // The delivery service could be asked about a client only by that client itself. So it is the profile that knows.
    const { state } = await databaseState(cryptoDatabase(profile), isMade(profile));
    switch (state) {
      case 'locked':
        return await openLocked(profile, report);
      case 'restored':
        return await openPlain(profile, report);
      case 'fresh':
      case 'unknown':
        return { at: 'start', profile };
      case 'damaged':
        return { at: 'error', code: 'damaged-record' };
      case 'evicted-suspected':
      case 'newer-format':
        return { at: 'error', code: state };
    }
  } catch (error) {
    return failed(error);
  }
}

async function openLocked(profile: Profile, report: Report): Promise<Stage> {
  const info = await vaultInfo(cryptoDatabase(profile));
  if (info === undefined) return await openPlain(profile, report); // Unsealed by another tab in between.
  const locked: Locked = { profile, info };
  // Without a secret there is nothing to ask for.
  return info.unlocks.some(({ kind }) => kind === 'device') ? unlockWith(locked, { kind: 'device' }, report) : { at: 'locked', locked };
}

async function openPlain(profile: Profile, report: Report): Promise<Stage> {
  const opened = await openDatabase(profile, undefined, true, report);
  const candidate = await identify(opened);
  if (candidate !== undefined) return await enter(candidate, report);
  // Made by a version that opened the database before the name was chosen: there is nothing in it.
  return isPlainWanted() ? { at: 'start', profile, opened } : { at: 'start', profile: await abandonUnused(opened) };
}

function failed(error: unknown): Stage {
  return { at: 'error', code: codeOf(error) ?? (error as Error | undefined)?.name ?? 'unknown' };
}

/** After these nothing is amiss with the database: it can be tried again on the same page. */
const askAgain = new Set(['unlock-failed', 'passkey-unavailable', 'engine-panicked', 'wasm-unavailable', 'invalid-argument']);

/** Unlocks, and goes on into the chat. Whatever fails, nothing has changed. */
export async function unlockWith(locked: Locked, unlock: VaultUnlock, report: Report): Promise<Stage> {
  const { profile } = locked;
  let { opened } = locked;
  try {
    if (opened === undefined) opened = await openDatabase(profile, unlock, true, report);
    else await opened.client.unlock(unlock);
  } catch (error) {
    const code = codeOf(error) ?? 'unknown';
    if (code === 'not-sealed') return openProfile(report); // An unsealing that was begun earlier is finished.
    return askAgain.has(code) ? { at: 'locked', locked: { ...locked, problem: code } } : failed(error);
  }
  try {
    const candidate = await identify(opened);
    if (candidate === undefined) return { at: 'start', profile, opened };
    const unsaved = locked.unsent === undefined ? [] : await openUnsent(opened.client, locked.unsent);
    return await enter(candidate, report, unsaved);
  } catch (error) {
    return failed(error);
  }
}

/** On from an identity: registered the first time, and then into the chat, online or not. */
export async function enter(candidate: Candidate, report: Report, unsaved: readonly UnsavedMessage[] = []): Promise<Stage> {
  try {
    await register(candidate);
  } catch (error) {
    if (isRefused(error)) return { at: 'name-refused', candidate, code: error.code };
    return { at: 'unregistered', candidate };
  }
  const session = await startSession(candidate, report);
  await session.engine.restoreUnsaved(unsaved);
  return { at: 'chat', session };
}

/** Forgets the keys and all that is shown. What arrives meanwhile waits in the logs of the delivery service. */
export async function lockSession({ engine, history, client, profile, room }: Session): Promise<Stage> {
  try {
    engine.stop();
    const unsent = await sealUnsent(client, engine.states.allUnsaved());
    history.close();
    await client.lock();
    const info = await vaultInfo(cryptoDatabase(profile));
    return info === undefined ? { at: 'error', code: 'not-sealed' } : { at: 'locked', locked: { profile, info, unsent, opened: { profile, client, sealed: true, room } } };
  } catch (error) {
    return failed(error);
  }
}

/** Seals everything with a new data key. The client is locked meanwhile, as nobody may write. */
export async function renewKey(session: Session, unlock: VaultUnlock, report: Report): Promise<Stage> {
  const stage = await lockSession(session);
  if (stage.at !== 'locked') return stage;
  try {
    await rotateDataKey({ name: cryptoDatabase(session.profile), unlock, onProgress: (progress) => report(ofVault(progress)) });
  } catch (error) {
    return { at: 'locked', locked: { ...stage.locked, problem: codeOf(error) ?? 'unknown' } };
  }
  return unlockWith(stage.locked, unlock, report);
}

/** Seals what was in the clear so far. Killed in the middle, it goes on when it is unlocked next. */
export async function sealSession({ engine, history, client, profile }: Session, unlock: VaultUnlock, report: Report): Promise<Stage> {
  try {
    engine.stop();
    const unsaved = engine.states.allUnsaved();
    history.close();
    await client.close();
    await sealDatabase({ name: cryptoDatabase(profile), unlock, onProgress: (progress) => report(ofVault(progress)) });
    const candidate = await identify(await openDatabase(profile, unlock, true, report));
    if (candidate === undefined) return { at: 'error', code: 'database-missing' };
    const stage = await enter(candidate, report, unsaved);
    if (stage.at === 'chat') await renameShown(stage.session);
    return stage;
  } catch (error) {
    return failed(error);
  }
}

/** The address bar held a group id, as what is in the clear does: from now on it is the name that stands for it. */
async function renameShown({ history }: Session): Promise<void> {
  const shown = location.hash.replace(/^#c\//, '');
  const conversation = await history.conversation(shown);
  const name = conversation === undefined ? '' : `#c/${history.nameOutside(conversation.id)}`;
  window.history.replaceState(null, '', `${location.pathname}${location.search}${name}`);
}
