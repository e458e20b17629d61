import { PanelBuilder as BarGaugeBuilder } from '@grafana/grafana-foundation-sdk/bargauge';
import type { Builder, Dataquery } from '@grafana/grafana-foundation-sdk/cog';
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  type DataSourceRef,
  GraphDrawStyle,
  StackingConfigBuilder,
  StackingMode,
  VizOrientation,
} from '@grafana/grafana-foundation-sdk/common';
import { ReduceDataOptionsBuilder } from '@grafana/grafana-foundation-sdk/common';
import type { DashboardBuilder, Panel } from '@grafana/grafana-foundation-sdk/dashboard';
import { PanelBuilder as GaugeBuilder } from '@grafana/grafana-foundation-sdk/gauge';
import {
  PanelBuilder as PieChartBuilder,
  PieChartLabels,
  PieChartType,
} from '@grafana/grafana-foundation-sdk/piechart';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeSeriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';

/** What every panel says. */
export interface PanelText {
  readonly title: string;
  /** What it shows and how to read it, for whoever sees it for the first time. */
  readonly description: string;
  /** As Grafana names it: see its package `units`. */
  readonly unit: string;
}

/** A question to the data source of a panel, without the letter that the panel gives it. */
export interface PanelQuery {
  readonly make: (refId: string) => Builder<Dataquery>;
}

/** What a dashboard is made of; the id is its own in the dashboard. */
export type PanelOf = (source: DataSourceRef, id: number) => Builder<Panel>;

/** Columns of Grafana's grid, of which there are 24. */
const WIDTH = { small: 4, third: 8, half: 12 } as const;
const HEIGHT = { small: 5, tall: 8 } as const;

/** One number a query, over the whole time that the dashboard shows. */
export function stat(text: PanelText, ...queries: readonly PanelQuery[]): PanelOf {
  return complete(text, queries, () =>
    new StatBuilder()
      .graphMode(BigValueGraphMode.None)
      .colorMode(BigValueColorMode.None)
      .reduceOptions(lastOfEach())
      .span(WIDTH.small)
      .height(HEIGHT.small),
  );
}

/** A share between 0 and 1. */
export function gauge(text: PanelText, query: PanelQuery): PanelOf {
  return complete(text, [query], () =>
    new GaugeBuilder().min(0).max(1).reduceOptions(lastOfEach()).span(WIDTH.small).height(HEIGHT.small),
  );
}

/** How it went. */
export function timeSeries(text: PanelText, ...queries: readonly PanelQuery[]): PanelOf {
  return complete(text, queries, () =>
    new TimeSeriesBuilder().min(0).fillOpacity(10).span(WIDTH.third).height(HEIGHT.tall),
  );
}

/** How many in each stretch of time, stacked. */
export function counts(text: PanelText, ...queries: readonly PanelQuery[]): PanelOf {
  return complete(text, queries, () =>
    new TimeSeriesBuilder()
      .min(0)
      .drawStyle(GraphDrawStyle.Bars)
      .fillOpacity(60)
      .stacking(new StackingConfigBuilder().mode(StackingMode.Normal))
      .span(WIDTH.third)
      .height(HEIGHT.tall),
  );
}

/** How a whole is divided. */
export function pie(text: PanelText, query: PanelQuery): PanelOf {
  return complete(text, [query], () =>
    new PieChartBuilder()
      .pieType(PieChartType.Donut)
      .displayLabels([PieChartLabels.Name, PieChartLabels.Value])
      .reduceOptions(lastOfEach())
      .span(WIDTH.third)
      .height(HEIGHT.tall),
  );
}

/** Several numbers side by side. */
export function bars(text: PanelText, query: PanelQuery): PanelOf {
  return complete(text, [query], () =>
    new BarGaugeBuilder()
      .displayMode(BarGaugeDisplayMode.Basic)
      .orientation(VizOrientation.Horizontal)
      .min(0)
      .reduceOptions(lastOfEach())
      .span(WIDTH.third)
      .height(HEIGHT.tall),
  );
}

/** The rows that a query gives. */
export function table(text: PanelText, query: PanelQuery): PanelOf {
  return complete(text, [query], () => new TableBuilder().span(WIDTH.half).height(HEIGHT.tall));
}

/** Adds panels, all over one data source, from left to right and top to bottom. */
export function addPanels(
  dashboard: DashboardBuilder,
  source: DataSourceRef,
  panels: readonly PanelOf[],
): DashboardBuilder {
  return panels.reduce((built, panel, index) => built.withPanel(panel(source, index + 1)), dashboard);
}

interface AnyPanelBuilder extends Builder<Panel> {
  id(id: number): this;
  title(title: string): this;
  description(description: string): this;
  unit(unit: string): this;
  datasource(source: DataSourceRef): this;
  withTarget(query: Builder<Dataquery>): this;
}

function complete(
  { title, description, unit }: PanelText,
  queries: readonly PanelQuery[],
  make: () => AnyPanelBuilder,
): PanelOf {
  return (source, id) => {
    const panel = make().id(id).title(title).description(description).unit(unit).datasource(source);
    for (const [index, query] of queries.entries()) panel.withTarget(query.make(letter(index)));
    return panel;
  };
}

/** A, B, C, as Grafana calls the queries of a panel. */
function letter(index: number): string {
  return String.fromCodePoint('A'.codePointAt(0)! + index);
}

function lastOfEach() {
  return new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false);
}
