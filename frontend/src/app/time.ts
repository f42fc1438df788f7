const day = 24 * 60 * 60 * 1000;

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'long' });
const date = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long' });
const dateAndYear = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'long', year: 'numeric' });
const short = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' });

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

export function timeText(at: number): string {
  return clock.format(at);
}

/** For the separator between two days. */
export function dayText(at: number, now = Date.now()): string {
  // Rounded, for a day may have 23 or 25 hours.
  const days = Math.round((startOfDay(now) - startOfDay(at)) / day);
  if (days <= 0) return 'Today';
  if (days === 1) return 'Yesterday';
  if (days < 7) return weekday.format(at);
  return new Date(at).getFullYear() === new Date(now).getFullYear() ? date.format(at) : dateAndYear.format(at);
}

/** For the list of conversations: the time today, the day before that. */
export function briefText(at: number, now = Date.now()): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / day);
  if (days <= 0) return timeText(at);
  return days === 1 ? 'Yesterday' : short.format(at);
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'long', timeStyle: 'short' });

/** Day and time in full, for what may be old. */
export function momentText(at: number): string {
  return moment.format(at);
}
