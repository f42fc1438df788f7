import './app/trusted-types.ts';
import { createRoot } from 'react-dom/client';
import { MantineProvider } from '@mantine/core';
import './app/mantine.css';
import './app/base.css';
import { App } from './app/App.tsx';
import { theme } from './app/theme.ts';

const root = document.getElementById('root');
if (root === null) throw new Error('index.html has no #root');

createRoot(root).render(
  <MantineProvider theme={theme} defaultColorScheme="auto">
    <App />
  </MantineProvider>,
);
