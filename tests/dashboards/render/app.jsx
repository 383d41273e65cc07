// SPDX-License-Identifier: GPL-2.0-or-later
//
// Draws the dashboard with Grafana's own components. Grafana's panel plugins are not published, so
// what they do between a query's answer and a component is done here: frames, field configuration
// and overrides, placement on the grid. `input` has the dashboard and what record.py recorded.
import React from "react";
import { createRoot } from "react-dom/client";
import {
  applyFieldOverrides, createDataFrame, createTheme, dateTime, EventBusSrv, FieldConfigOptionsRegistry, FieldType,
  getFieldDisplayValues, ThemeContext,
} from "@grafana/data";
import {
  BigValue, BigValueColorMode, BigValueGraphMode, BigValueTextMode, GlobalStyles, PanelChrome,
  PanelContextProvider, TimeSeries,
} from "@grafana/ui";
import input from "synward-input";

const { dashboard, recorded, width } = input;
const theme = createTheme({ colors: { mode: "dark" } });
const cell = { width: width / 24, height: 38, gap: 8 };
const timeZone = "utc";
const timeRange = {
  from: dateTime(recorded.from * 1000), to: dateTime(recorded.to * 1000), raw: { from: "now-5m", to: "now" },
};

// The properties that the dashboard uses; Grafana's registry of them is in the server's own code.
const property = (id, isCustom) => ({
  id: isCustom ? `custom.${id}` : id, path: id, name: id, isCustom, process: (value) => value,
  shouldApply: () => true, override: () => null, editor: () => null,
});
const registry = new FieldConfigOptionsRegistry(() => [
  ...["unit", "min", "max", "decimals", "noValue", "thresholds", "mappings", "color"].map((id) => property(id, false)),
  ...["drawStyle", "fillOpacity", "lineInterpolation", "lineWidth", "lineStyle", "showPoints", "spanNulls", "stacking",
    "scaleDistribution", "thresholdsStyle"].map((id) => property(id, true)),
]);

// {{label}} in a legend is the label's value.
const legend = (format, labels) => format.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? "");

function frames(panel) {
  const made = recorded.panels[panel.id].flatMap((answer) => answer.series.map(({ labels, values }) => createDataFrame({
    refId: answer.refId,
    fields: [
      { name: "Time", type: FieldType.time, config: { interval: 2000 }, values: values.map(([at]) => at * 1000) },
      {
        name: "Value", type: FieldType.number, labels,
        config: { displayNameFromDS: legend(answer.legendFormat, labels) },
        values: values.map(([, value]) => (Number.isFinite(Number(value)) ? Number(value) : null)),
      },
    ],
  })));
  return applyFieldOverrides({
    data: made, fieldConfig: panel.fieldConfig, fieldConfigRegistry: registry, theme, timeZone,
    replaceVariables: (text) => text,
  });
}

function Stat({ panel, width: wide, height }) {
  const { graphMode, colorMode, textMode, reduceOptions } = panel.options;
  const values = getFieldDisplayValues({
    data: frames(panel), reduceOptions, fieldConfig: panel.fieldConfig, theme, timeZone,
    sparkline: graphMode !== BigValueGraphMode.None, replaceVariables: (text) => text,
  });
  return values.map(({ display, sparkline }, index) => (
    <BigValue key={index} width={wide / values.length} height={height} value={display} sparkline={sparkline}
      theme={theme} graphMode={graphMode} colorMode={colorMode ?? BigValueColorMode.Value}
      textMode={textMode ?? BigValueTextMode.Value} />
  ));
}

function Graph({ panel, width: wide, height }) {
  const data = frames(panel);
  if (data.length === 0) return <div className="empty">{panel.fieldConfig.defaults.noValue ?? "No data"}</div>;
  return (
    <TimeSeries frames={data} width={wide} height={height} timeRange={timeRange} timeZone={timeZone}
      legend={panel.options.legend} options={panel.options} />
  );
}

const kinds = { stat: Stat, timeseries: Graph };

function Panel({ panel }) {
  const Kind = kinds[panel.type];
  const { w, h } = panel.gridPos;
  return (
    <PanelChrome title={panel.title} width={w * cell.width - cell.gap} height={h * cell.height - cell.gap}
      padding="md">
      {(wide, height) => <Kind panel={panel} width={wide} height={height} />}
    </PanelChrome>
  );
}

const place = ({ x, y }) => ({ position: "absolute", left: x * cell.width + cell.gap / 2, top: y * cell.height });

function Dashboard() {
  const bottom = Math.max(...dashboard.panels.map(({ gridPos }) => gridPos.y + gridPos.h));
  return (
    <div id="dashboard" style={{ position: "relative", width, height: bottom * cell.height }}>
      {dashboard.panels.map((panel) => (
        <div key={panel.id} style={place(panel.gridPos)} data-panel={panel.title}>
          {panel.type === "row" ? <h2>{panel.title}</h2> : <Panel panel={panel} />}
        </div>
      ))}
    </div>
  );
}

const style = `
  body { background: ${theme.colors.background.canvas}; margin: 0; padding: 8px 0; overflow: visible; }
  html, body { height: auto; }
  h2 { font-size: 16px; line-height: 30px; margin: 0 4px; }
  .empty { display: grid; place-items: center; height: 100%; }
`;
const context = {
  eventsScope: "dashboard", eventBus: new EventBusSrv(), sync: () => 0, canAddAnnotations: () => false,
};
createRoot(document.getElementById("root")).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles isExtensionPointsEnabled={false} />
    <style>{style}</style>
    <PanelContextProvider value={context}><Dashboard /></PanelContextProvider>
  </ThemeContext.Provider>,
);
