import { PasswordInput, Stack } from '@mantine/core';
import { passphraseHint } from './passphrase.ts';
import { PassphraseOwner } from './PassphraseOwner.tsx';

interface Props {
  passphrase: string;
  again: string;
  problem: { passphrase?: string; again?: string };
  onChange: (to: { passphrase?: string; again?: string }) => void;
  /** What it is the passphrase of, for the password manager. */
  owner?: string;
}

/** A new passphrase, typed twice. */
export function PassphraseFields({ passphrase, again, problem, onChange, owner }: Props): React.JSX.Element {
  return (
    <Stack gap="sm">
      <PassphraseOwner {...(owner !== undefined && { of: owner })} />
      <PasswordInput
        label="New passphrase"
        description={passphraseHint(passphrase)}
        value={passphrase}
        onChange={(event) => onChange({ passphrase: event.currentTarget.value })}
        error={problem.passphrase}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ 'aria-label': 'Show the passphrase' }}
        data-testid="new-passphrase-input"
      />
      <PasswordInput
        label="The same once more"
        value={again}
        onChange={(event) => onChange({ again: event.currentTarget.value })}
        error={problem.again}
        autoComplete="new-password"
        visibilityToggleButtonProps={{ 'aria-label': 'Show the passphrase' }}
        data-testid="passphrase-again-input"
      />
    </Stack>
  );
}
