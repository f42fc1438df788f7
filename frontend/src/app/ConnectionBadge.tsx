import { Text } from '@mantine/core';
import styles from './chat.module.css';
import { useStatus } from './hooks.ts';

const texts = { connecting: 'Connecting…', online: 'Online', offline: 'Offline' } as const;

export function ConnectionBadge(): React.JSX.Element {
  const status = useStatus();
  return (
    <span className={styles.status} role="status" data-testid="connection-status" data-status={status}>
      <span className={styles.dot} aria-hidden />
      <Text size="xs" c="dimmed" component="span">
        {texts[status]}
      </Text>
    </span>
  );
}
