import type { ChatEvent } from '../history/types.ts';
import { listNames } from './texts.ts';

function who(by: string, own: boolean): string {
  return own ? 'You' : by === '' ? 'Somebody' : by;
}

/** The line that tells of a change in the group. */
export function eventText(event: ChatEvent): string {
  switch (event.type) {
    case 'created':
      return 'You started this conversation';
    case 'joined':
      return 'You joined. What was said before is not shown to you';
    case 'came-back':
      return 'This device is back in the conversation. What was said since the backup is missing here';
    case 'named':
      return `${who(event.by, event.own)} named the conversation “${event.name}”`;
    case 'added':
      return `${who(event.by, event.own)} added ${listNames(event.users, 6)}`;
    case 'device-added':
      return event.own ? 'You added a device' : `${event.user} added a device`;
    case 'removed':
      return `${who(event.by, event.own)} removed ${listNames(event.users, 6)}`;
    case 'left':
      return `${listNames(event.users, 6)} left`;
    case 'you-left':
      return 'You left';
    case 'you-removed':
      return `${who(event.by, false)} removed you`;
    case 'unreadable':
      return `A message could not be read (${event.code})`;
  }
}
