// SPDX-License-Identifier: Apache-2.0
/** Types of the parts of asciichart that are used; the package has none. */
declare module 'asciichart' {
  export interface PlotConfig {
    height?: number;
    min?: number;
    max?: number;
    format?: (value: number, index: number) => string;
  }
  const asciichart: {plot(series: readonly number[], config?: PlotConfig): string};
  export default asciichart;
}
