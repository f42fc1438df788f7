/** What is said to the user, by code. */

import { sizeText } from './storage/room.ts';

const refusals: Record<string, string> = {
  'unknown-user': 'Nobody of that name has registered here.',
  'no-key-package': 'This person cannot be added yet: one of their devices has not been online since it was set up.',
  'already-member': 'This person is already in the conversation, with all of their devices.',
  'out-of-step': 'This device and the group no longer agree: a change of the group could not be read here. Please start a new conversation.',
  'too-many-conflicts': 'Others keep changing the group at the same moment. Please try again.',
  'wrong-key-package': 'The server offered a key that is not this person’s. They were not added.',
  'invalid-key-package': 'The key offered for this person is not valid. They were not added.',
  'invalid-name': 'That is not a possible name.',
  'malformed-user': 'That is not a possible name.',
  'removed-not-member': 'The group has changed meanwhile. Please try again.',
  'too-many-groups': 'You have started as many conversations as the server allows.',
  'too-many-welcomes': 'Too many invitations wait for this person already. Please try again when they have been online.',
  'too-many-clients': 'There are too many devices under this name.',
  'too-many-links': 'Too many linked devices have not signed in yet.',
  'malformed-public-key': 'That is not a device’s code.',
  'message-too-large': 'Too large for the server.',
  'not-a-member': 'You are not a member of this group any more.',
  network: 'The server cannot be reached. Check your connection and try again.',
  'not-linked': 'This device is not linked to your other devices yet.',
  'storage-failed': 'This device could not save it. Free some space, then try again.',
  'engine-panicked': 'Encryption was interrupted and started again. Please try again.',
  'locked-meanwhile': 'The chat was locked before it was saved.',
};

export function refusalText(code: string): string {
  return refusals[code] ?? `That did not work (${code}).`;
}

export interface ErrorText {
  title: string;
  text: string;
  again: string;
}

const errorPages: Record<string, ErrorText> = {
  'already-open': {
    title: 'The chat is open in another tab',
    text: 'Two tabs must not write the same keys at once, so this one waits. Close the other tab, or go on there.',
    again: 'Try again here',
  },
  'writer-lost': {
    title: 'The chat went on in another tab',
    text: 'This tab was asleep, and another one has taken over. Nothing is lost: what was not saved yet has not been sent.',
    again: 'Use the chat here',
  },
  'newer-format': {
    title: 'This data was written by a newer version',
    text: 'A newer version of the chat has used this profile. This version leaves it untouched. Reload to get the newer version.',
    again: 'Reload',
  },
  'damaged-record': {
    title: 'Stored data is damaged',
    text: 'A record in this browser’s storage cannot be read. Nothing was changed or deleted. Keep a copy of the browser profile before you try anything else: it holds what can still be read.',
    again: 'Try again',
  },
  'damaged-profile': {
    title: 'This profile cannot be read',
    text: 'The note in which this browser keeps the name of your database (IndexedDB, “chat profiles”) is damaged. The database itself was left untouched.',
    again: 'Try again',
  },
  'evicted-suspected': {
    title: 'The stored keys are gone',
    text: 'There was an identity in this browser, but its database is missing: the browser has cleared it to make room, or somebody has. The chat does not quietly start afresh. If you have a copy of the browser profile, put it back and try again.',
    again: 'Try again',
  },
  'sealed-history': {
    title: 'The history is encrypted, and its key is gone',
    text: 'The keys of this chat are stored in the clear, but its history was encrypted by a vault that is not there any more. Nothing was changed or deleted.',
    again: 'Try again',
  },
  'damaged-history': {
    title: 'The history cannot be read',
    text: 'The keys of this chat are there, but its history in this browser is damaged or belongs to other keys. Nothing was changed or deleted, and what arrives is kept. Keep a copy of the browser profile before you try anything else.',
    again: 'Try again',
  },
  'key-storage-unavailable': {
    title: 'This browser cannot keep a key',
    text: 'Some private windows cannot. Choose a passphrase instead.',
    again: 'Try again',
  },
  'database-missing': {
    title: 'The stored keys are gone',
    text: 'This browser had an identity here, but its database is missing: the browser may have cleared it. The chat does not quietly start afresh. If you have a backup of the browser profile, restore it and try again.',
    again: 'Try again',
  },
  'indexeddb-unavailable': {
    title: 'This browser does not let the chat store anything',
    text: 'The chat keeps its keys in the browser’s storage (IndexedDB), which is switched off or blocked here. Private windows and strict settings can be the reason.',
    again: 'Try again',
  },
  'locks-unavailable': {
    title: 'This browser cannot keep two tabs apart',
    text: 'The chat needs Web Locks, which browsers offer on https pages and on localhost. Open it under such an address.',
    again: 'Try again',
  },
  'storage-failed': {
    title: 'This device cannot save',
    text: 'The browser’s storage does not take anything at the moment; it may be full. Nothing was deleted. Free some space and try again.',
    again: 'Try again',
  },
  'wasm-unavailable': {
    title: 'The encryption could not be loaded',
    text: 'The chat’s encryption (a WebAssembly file) did not load. Check your connection and try again.',
    again: 'Try again',
  },
};

export function errorText(code: string): ErrorText {
  return (
    errorPages[code] ?? {
      title: 'The chat could not start',
      text: `Something unexpected happened (${code}). Nothing was deleted.`,
      again: 'Try again',
    }
  );
}

/** Why a new user could not start: a refusal, or something that has a page of its own elsewhere. */
export function startProblem(code: string): string {
  return errorPages[code]?.text ?? refusalText(code);
}

const unlockProblems: Record<string, string> = {
  'no-passphrase': 'Please type your passphrase.',
  'unlock-failed': 'That does not unlock it. Nothing was changed; try again.',
  'passkey-unavailable': 'There was no passkey: this browser or your authenticator cannot encrypt with one, or you have declined.',
  'engine-panicked': 'Checking the passphrase takes more memory than there is at the moment. Close other tabs and try again.',
  'key-storage-unavailable': 'This browser cannot keep a key. Choose a passphrase or a passkey.',
  'no-way': 'It was locked by a key that this app does not have.',
};

/** Why something did not unlock, or could not be made to. */
export function unlockProblem(code: string): string {
  return unlockProblems[code] ?? startProblem(code);
}

/** The ways to protect what is stored, and what each is worth. */
export const protectionTexts = {
  passphrase: {
    title: 'A passphrase',
    text: 'You type it whenever you open the chat. Who has a copy of what is stored here can only guess it, so it protects as much as it is hard to guess. Nobody can reset it: if you forget it, your chats in this browser are lost.',
  },
  passkey: {
    title: 'A passkey',
    text: 'Your fingerprint, face, device PIN or security key opens the chat. If you lose the passkey, and have added no other way to unlock, your chats in this browser are lost.',
  },
  device: {
    title: 'No secret',
    text: 'The chat opens by itself. The key lies in this browser, beside what it encrypts: anybody who copies this browser’s profile folder, or uses this computer as you, can read everything.',
  },
} as const;

/** What the ways to unlock are called. */
export const unlockNames = { passphrase: 'Passphrase', passkey: 'Passkey', device: 'No secret', key: 'A key of another app' } as const;

/** The changes of how the chat is unlocked. */
export const changeTexts = {
  'add-passphrase': {
    title: 'Add a passphrase',
    text: 'It opens the chat beside the ways there are. Nobody can reset it.',
    confirm: 'Add',
  },
  'add-passkey': {
    title: 'Add a passkey',
    text: 'It opens the chat beside the ways there are. Your browser then asks where to keep it.',
    confirm: 'Add',
  },
  'change-passphrase': {
    title: 'Change the passphrase',
    text: 'The present one does not open this chat any more afterwards. It still opens a copy that somebody made before.',
    confirm: 'Change',
  },
  remove: {
    title: 'Remove this way to unlock',
    text: 'It does not open this chat any more afterwards. Make sure that you have another one at hand.',
    confirm: 'Remove',
  },
  'renew-key': {
    title: 'Renew the key',
    text: 'The chat is closed for as long as it takes, and opens again by itself.',
    confirm: 'Renew',
  },
} as const;

/** What is being done to everything that is stored. */
export const workTexts = {
  sealed: 'Encrypting what is stored:',
  sealing: 'Encrypting what is stored:',
  unsealing: 'Decrypting what is stored:',
  rotating: 'Encrypting everything with a new key:',
  history: 'Encrypting the history:',
} as const;

/** Backing up, and bringing a backup back. */
export const backupTexts = {
  what: 'A file with your account and all that was said, encrypted with a passphrase of its own. Keep it somewhere else: it is for the day on which this browser or its data is gone.',
  not: 'Whoever opens the file can read what was said so far, and take your place in your conversations. So it needs a passphrase that nobody guesses.',
  forget: 'Nobody can reset this passphrase: a backup whose passphrase is forgotten is worth nothing.',
  done: 'Your browser has it now, where it keeps downloads. It opens with this passphrase only.',
  restore: 'A backup brings your account and what was said back into this browser. Then this device joins its conversations anew.',
  lost: 'Do this only if the browser it was made in is gone, or not used any more: it is put out of its conversations.',
} as const;

/** How far making a backup, or bringing one back, is. */
export const backupProgress = {
  groups: (count: number) => `Looking at the keys: ${count.toLocaleString()} conversations`,
  history: (count: number) => `Writing the history down: ${count.toLocaleString()} records`,
  file: (count: number) => `Writing the file: ${sizeText(count)}`,
  opening: () => 'Opening the backup',
  back: (count: number) => `Bringing the history back: ${count.toLocaleString()} records`,
} as const;

const backupProblems: Record<string, string> = {
  'unlock-failed': 'That passphrase does not open this backup. Nothing was changed; try again.',
  'snapshot-damaged': 'This file is damaged, cut short, or no backup. Nothing was changed.',
  'newer-format': 'This backup was made by a newer version of the chat. Nothing was changed. Reload to get the newer version.',
  'foreign-backup': 'This backup was made by another app. Nothing was changed.',
  'identity-conflict': 'This backup is of another account. Nothing was changed.',
  'full-export': 'This file is for moving a database, not a backup of this chat.',
  'no-file': 'Please choose the file.',
  'no-passphrase': 'Please type the passphrase of the backup.',
  'storage-failed': 'There is no room for it in this browser. Nothing was changed. Free some space, then try again.',
  'vault-locked': 'The chat was locked before the backup was made.',
  'already-open': 'A backup is being brought back in another tab.',
};

/** Why there is no backup, or it was not brought back. */
export function backupProblem(code: string): string {
  return backupProblems[code] ?? startProblem(code);
}

/** Same rules as the delivery service: it has the last word. */
export function nameProblem(name: string): string | undefined {
  if (name.trim() === '') return 'Please type a name.';
  if ([...name.trim()].length > 64) return 'At most 64 characters, please.';
  if (name.includes('/')) return 'A name cannot contain a slash.';
  if (/\p{Cc}/u.test(name)) return 'A name cannot contain control characters.';
  return undefined;
}

/** “Anna, Ben and 3 more”. */
export function listNames(names: readonly string[], atMost = 3): string {
  if (names.length <= 1) return names[0] ?? '';
  if (names.length <= atMost) return `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
  return `${names.slice(0, atMost - 1).join(', ')} and ${names.length - atMost + 1} more`;
}
