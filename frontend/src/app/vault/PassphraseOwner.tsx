/**
 * Tells the browser's password manager under which name to keep the passphrase. Otherwise it takes the user's name from the
 * page, and writes it down in the clear even if it is told not to save anything.
 */
export function PassphraseOwner({ of = 'this browser’s chat' }: { of?: string }): React.JSX.Element {
  return <input type="text" name="username" autoComplete="username" value={of} readOnly hidden aria-hidden tabIndex={-1} />;
}
