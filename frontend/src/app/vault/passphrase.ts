/** Fewer characters than this are refused. */
export const minPassphraseLength = 12;

/** Why a passphrase is refused; undefined: it is not. */
export function passphraseProblem(passphrase: string, again: string): { passphrase?: string; again?: string } | undefined {
  const length = [...passphrase].length;
  if (length === 0) return { passphrase: 'Please type a passphrase.' };
  if (length < minPassphraseLength) return { passphrase: `At least ${minPassphraseLength} characters, please: ${minPassphraseLength - length} more.` };
  if (new Set(passphrase.toLowerCase()).size < 5) return { passphrase: 'These are always the same characters.' };
  if (passphrase !== again) return { again: 'The two are not the same.' };
  return undefined;
}

/** What can honestly be said of a passphrase from its length: how good it is depends on how it was chosen. */
export function passphraseHint(passphrase: string): string {
  const characters = [...passphrase].length;
  const words = new Set(passphrase.toLowerCase().split(/[^\p{L}\p{N}]+/u).filter((word) => word.length > 2)).size;
  if (characters === 0) return 'Five or more words that somebody else would not put together.';
  if (characters < minPassphraseLength) return `${characters} of at least ${minPassphraseLength} characters.`;
  if (words >= 5) return 'Long enough, if you have picked the words by chance. A quotation is guessed.';
  if (characters >= 20) return 'Long enough, if nobody can guess how you made it.';
  return 'Good only if it was made by chance, by a password manager. A word with a few digits is guessed soon.';
}
