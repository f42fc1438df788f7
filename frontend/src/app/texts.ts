/** What is said to the user, by code. */

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
