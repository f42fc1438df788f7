import { Paper, Stack } from '@mantine/core';
import type { ReactNode } from 'react';
import styles from './pages.module.css';

/** A page of its own, before or instead of the chat: one card in the middle. */
export function Page({ children, ...rest }: { children: ReactNode; 'data-testid'?: string; 'data-code'?: string }): React.JSX.Element {
  return (
    <main className={styles.page} {...rest}>
      <Paper className={styles.card ?? ''} shadow="sm" radius="lg" p={{ base: 'lg', xs: 'xl' }} withBorder>
        <Stack gap="md">
          <img className={styles.logo} src="/icon.svg" alt="" />
          {children}
        </Stack>
      </Paper>
    </main>
  );
}
