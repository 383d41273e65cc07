// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/exposer.h"

#include <prometheus/text_serializer.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <iterator>
#include <utility>
#include <vector>

#include "daemon/io/clock.h"

namespace synward::metrics {
namespace {

std::string listen_problem(int error) {
  switch (error) {
    case EADDRINUSE:
      return "address in use; stop the program that listens there or choose another metrics.listen";
    case EADDRNOTAVAIL:
      return "no interface of this machine has the address; choose another metrics.listen";
    case EACCES:
      return "permission denied; a port below 1024 needs CAP_NET_BIND_SERVICE";
    default:
      return std::strerror(error);
  }
}

}  // namespace

Exposer::Exposer(std::shared_ptr<const prometheus::Collectable> collectable, HealthCheck health)
    : collectable_(std::move(collectable)),
      health_(std::move(health)),
      transferred_bytes_(prometheus::BuildCounter()
                             .Name("exposer_transferred_bytes_total")
                             .Help("Bytes of the answers to earlier scrapes.")
                             .Register(own_)
                             .Add({})),
      scrapes_(prometheus::BuildCounter()
                   .Name("exposer_scrapes_total")
                   .Help("Earlier scrapes.")
                   .Register(own_)
                   .Add({})),
      latencies_(
          prometheus::BuildSummary()
              .Name("exposer_request_latencies")
              .Help("What earlier scrapes took, in microseconds.")
              .Register(own_)
              .Add({}, prometheus::Summary::Quantiles{{0.5, 0.05}, {0.9, 0.01}, {0.99, 0.001}})) {}

std::expected<std::unique_ptr<Exposer>, std::string> Exposer::start(
    const wire::Endpoint& listen, std::shared_ptr<const prometheus::Collectable> collectable,
    HealthCheck health, const HttpServer::Limits& limits) {
  const std::string failure = "cannot listen on " + wire::to_string(listen) + " for metrics: ";
  if (!listen.address.is_ipv4())
    return std::unexpected(failure + "only IPv4 addresses can be used");
  std::unique_ptr<Exposer> exposer(new Exposer(std::move(collectable), std::move(health)));
  auto server = HttpServer::start(
      listen, [raw = exposer.get()](const HttpRequest& request) { return raw->answer(request); },
      limits);
  if (!server) return std::unexpected(failure + listen_problem(server.error()));
  exposer->server_ = std::move(*server);
  return exposer;
}

HttpAnswer Exposer::answer(const HttpRequest& request) {
  if (request.method != "GET" && request.method != "HEAD")
    return {.status = 405, .body = "only GET and HEAD\n", .allow = "GET, HEAD"};
  if (request.path == "/metrics") return answer_metrics();
  if (request.path == "/healthz") return answer_health();
  return {.status = 404, .body = "see /metrics and /healthz\n"};
}

HttpAnswer Exposer::answer_metrics() {
  const Instant start = io::now();
  std::vector<prometheus::MetricFamily> families = collectable_->Collect();
  std::ranges::move(own_.Collect(), std::back_inserter(families));
  HttpAnswer answer{.body = prometheus::TextSerializer().Serialize(families),
                    .content_type = "text/plain; version=0.0.4; charset=utf-8"};
  scrapes_.Increment();
  transferred_bytes_.Increment(static_cast<double>(answer.body.size()));
  latencies_.Observe(std::chrono::duration<double, std::micro>(io::now() - start).count());
  return answer;
}

HttpAnswer Exposer::answer_health() const {
  const std::optional<std::string> problem = health_ ? health_() : std::nullopt;
  if (problem) return {.status = 503, .body = *problem + "\n"};
  return {.body = "ok\n"};
}

}  // namespace synward::metrics
