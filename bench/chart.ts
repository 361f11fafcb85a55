import * as echarts from 'echarts';
import type { Answer, Result } from './measure.js';
import type { Measure } from './question.js';

export interface Chart {
  readonly file: string;
  readonly title: string;
  readonly svg: string;
}

const WIDTH = 960;
const HEIGHT = 420;
export const COLOURS = [
  '#0f4c81',
  '#7fb2dd',
  '#d1495b',
  '#edae49',
  '#66a182',
  '#8d6a9f',
  '#b08968',
  '#00798c',
  '#6c757d',
  '#c05299',
  '#1b1b1e',
  '#a3b18a',
];
/** More subjects than this have no room for their names beside each other. */
const MANY = 12;
/** From this ratio of the largest to the smallest on, the smaller bars could not be told apart on a linear axis. */
const LOGARITHMIC = 30;

/**
 * One for each measure that a question has for them: subjects from left to right, a bar for each side, which has the same
 * colour in all charts.
 */
export function drawCharts(answers: readonly Answer[]): readonly Chart[] {
  const charted = answers.filter(({ question }) => question.charts !== undefined);
  const everybody = [...new Set(charted.flatMap(({ results }) => results.map(({ who }) => who)))];
  return charted.flatMap((answer) => {
    const { charts = [], measures } = answer.question;
    const wanted = measures.filter(({ key }) => charts.includes(key));
    return wanted.map((measure) => chartOf(answer, measure, everybody));
  });
}

function chartOf({ question, results }: Answer, measure: Measure, everybody: readonly string[]): Chart {
  const subjects = [...new Set(results.map(({ subject }) => subject))];
  const names = everybody.filter((name) => results.some(({ who }) => who === name));
  const title = `${question.title}: ${measure.title}`;
  const svg = draw({
    title: { text: title, subtext: 'medians', left: 'center', textStyle: { fontSize: 14 } },
    legend: { bottom: 0, itemGap: 24 },
    grid: { left: 16, right: 16, top: 64, bottom: 36, containLabel: true },
    xAxis: {
      type: 'category',
      data: subjects,
      axisLabel: {
        interval: 0,
        ...(subjects.length > MANY
          ? { rotate: 60, fontSize: 10 }
          : { width: WIDTH / subjects.length - 24, overflow: 'break' }),
      },
    },
    yAxis: { ...axisFor(results, measure.key), axisLabel: { formatter: measure.format } },
    series: names.map((name) => ({
      name,
      type: 'bar',
      itemStyle: { color: COLOURS[everybody.indexOf(name) % COLOURS.length] },
      data: subjects.map((subject) => medianOf(results, subject, name, measure.key)),
    })),
  });
  return { file: `${question.name}-${measure.key}.svg`, title, svg };
}

function axisFor(results: readonly Result[], key: string): { type: 'log' | 'value'; min?: number } {
  const medians = results.map(({ spreads }) => spreads[key]?.median ?? 0).filter((median) => median > 0);
  const least = Math.min(...medians);
  if (!(Math.max(...medians) / least > LOGARITHMIC)) return { type: 'value' };
  return { type: 'log', min: 10 ** Math.floor(Math.log10(least)) };
}

/** As SVG. */
export function draw(option: echarts.EChartsCoreOption): string {
  const chart = echarts.init(null, null, { renderer: 'svg', ssr: true, width: WIDTH, height: HEIGHT });
  try {
    chart.setOption({ animation: false, backgroundColor: '#fff', ...option });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

/** '-': there is none, in the words of echarts. */
function medianOf(results: readonly Result[], subject: string, who: string, key: string): number | '-' {
  const result = results.find((each) => each.subject === subject && each.who === who);
  return result?.spreads[key]?.median ?? '-';
}
