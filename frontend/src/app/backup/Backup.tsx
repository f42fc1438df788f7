import { Button, Modal, Text, Title } from '@mantine/core';
import { useState } from 'react';
import { backupTexts } from '../texts.ts';
import { BackupForm } from './BackupForm.tsx';

/** A copy for the day on which this browser is lost. */
export function Backup(): React.JSX.Element {
  const [opened, setOpened] = useState(false);
  const [busy, setBusy] = useState(false);
  return (
    <section>
      <Title order={2} size="h5">
        Backup
      </Title>
      <Text size="sm" c="dimmed" mt="xs" mb="xs">
        {backupTexts.what}
      </Text>
      <Button variant="light" size="xs" onClick={() => setOpened(true)} data-testid="backup-button">
        Back up
      </Button>
      <Modal
        opened={opened}
        onClose={() => setOpened(false)}
        title="Back up"
        centered
        // What is being made would go on with nobody to tell.
        withCloseButton={!busy}
        closeOnEscape={!busy}
        closeOnClickOutside={!busy}
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {opened && <BackupForm onBusy={setBusy} onClose={() => setOpened(false)} />}
      </Modal>
    </section>
  );
}
