import { Group, Loader, Stack, Text } from '@mantine/core';
import styles from './pages.module.css';
import type { WorkProgress } from './session.ts';
import { WorkProgressBar } from './vault/WorkProgressBar.tsx';

export function LoadingPage({ progress }: { progress?: WorkProgress | undefined }): React.JSX.Element {
  return (
    <main className={styles.page} data-testid="loading-page">
      {progress === undefined ? (
        <Group gap="sm" role="status">
          <Loader size="sm" />
          <Text>One moment…</Text>
        </Group>
      ) : (
        <Stack className={styles.card ?? ''}>
          <WorkProgressBar progress={progress} />
        </Stack>
      )}
    </main>
  );
}
