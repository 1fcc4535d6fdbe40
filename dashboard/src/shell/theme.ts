import { effect, signal } from '@preact/signals'

const THEMES = ['System', 'Light', 'Dark'] as const
type Theme = (typeof THEMES)[number]

const STORED = 'om-theme'

export const theme = signal<Theme>(THEMES.find((known) => known === localStorage.getItem(STORED)) ?? 'System')

effect(() => {
  localStorage.setItem(STORED, theme.value)
  document.documentElement.dataset.theme = theme.value.toLowerCase()
})

export function nextTheme(): void {
  theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'System'
}
