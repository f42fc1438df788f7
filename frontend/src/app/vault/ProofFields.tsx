import { NativeSelect, PasswordInput, Stack, Text } from '@mantine/core';
import { unlockNames } from '../texts.ts';
import { PassphraseOwner } from './PassphraseOwner.tsx';
import type { Proof, ProofKind } from './proof.ts';

interface Props {
  proof: Proof;
  /** What the present passphrase is called here. */
  label?: string;
  onChange: () => void;
}

/** Asks for a way to unlock that there is. */
export function ProofFields({ proof, label = 'Your passphrase', onChange }: Props): React.JSX.Element {
  return (
    <Stack gap="sm">
      {proof.kinds.length > 1 && (
        <NativeSelect
          label="Confirm with"
          value={proof.kind}
          onChange={(event) => {
            proof.setKind(event.currentTarget.value as ProofKind);
            onChange();
          }}
          data={proof.kinds.map((kind) => ({ value: kind, label: unlockNames[kind] }))}
          data-testid="proof-kind"
        />
      )}
      {proof.kind === 'passphrase' && <PassphraseOwner />}
      {proof.kind === 'passphrase' && (
        <PasswordInput
          label={label}
          value={proof.passphrase}
          onChange={(event) => {
            proof.setPassphrase(event.currentTarget.value);
            onChange();
          }}
          autoComplete="current-password"
          visibilityToggleButtonProps={{ 'aria-label': 'Show the passphrase' }}
          data-autofocus
          data-testid="proof-passphrase-input"
        />
      )}
      {proof.kind === 'passkey' && (
        <Text size="sm" c="dimmed">
          You are asked for your passkey.
        </Text>
      )}
    </Stack>
  );
}
