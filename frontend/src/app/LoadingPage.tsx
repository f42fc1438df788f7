import { Group, Loader, Text } from '@mantine/core';
import styles from './pages.module.css';

export function LoadingPage(): React.JSX.Element {
  return (
    <main className={styles.page} data-testid="loading-page">
      <Group gap="sm" role="status">
        <Loader size="sm" />
        <Text>Opening your chats…</Text>
      </Group>
    </main>
  );
}
