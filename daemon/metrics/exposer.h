// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <prometheus/collectable.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <prometheus/summary.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "daemon/metrics/http_server.h"
#include "proxy/wire/address.h"

namespace synward::metrics {

// nullopt = healthy, else one sentence that says what is not. Runs on the HTTP thread.
using HealthCheck = std::function<std::optional<std::string>()>;

// The HTTP endpoint: GET or HEAD of /metrics and /healthz, and nothing else. Its thread inherits
// the signal mask of the caller, so block signals first.
class Exposer {
 public:
  // Port 0 takes a free one. The sentence on failure names the address.
  static std::expected<std::unique_ptr<Exposer>, std::string> start(
      const wire::Endpoint& listen, std::shared_ptr<const prometheus::Collectable> collectable,
      HealthCheck health, const HttpServer::Limits& limits = {});

  std::uint16_t port() const { return server_->port(); }

 private:
  Exposer(std::shared_ptr<const prometheus::Collectable> collectable, HealthCheck health);
  HttpAnswer answer(const HttpRequest& request);
  HttpAnswer answer_metrics();
  HttpAnswer answer_health() const;

  const std::shared_ptr<const prometheus::Collectable> collectable_;
  const HealthCheck health_;
  // Of the scrapes themselves, by the names that prometheus-cpp's own server uses.
  prometheus::Registry own_;
  prometheus::Counter& transferred_bytes_;
  prometheus::Counter& scrapes_;
  prometheus::Summary& latencies_;
  std::unique_ptr<HttpServer> server_;  // last: its thread uses the others
};

}  // namespace synward::metrics
