// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <prometheus/collectable.h>

#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "proxy/wire/address.h"

namespace prometheus {
class Exposer;
}

namespace synward::metrics {

// nullopt = healthy, else one sentence that says what is not. Runs on an HTTP thread.
using HealthCheck = std::function<std::optional<std::string>()>;

// The HTTP endpoint: GET or HEAD of /metrics and /healthz, and nothing else. At most one at a time
// in a process. Its threads inherit the signal mask of the caller, so block signals first.
class Exposer {
 public:
  // Port 0 takes a free one. The sentence on failure names the address.
  static std::expected<std::unique_ptr<Exposer>, std::string> start(
      const wire::Endpoint& listen, std::shared_ptr<prometheus::Collectable> collectable,
      HealthCheck health);
  Exposer(const Exposer&) = delete;
  Exposer& operator=(const Exposer&) = delete;
  // Returns once no request is being served.
  ~Exposer();

  std::uint16_t port() const { return listen_.port; }

 private:
  Exposer(std::shared_ptr<prometheus::Collectable> collectable, HealthCheck health);
  void stop_server();

  // prometheus::Exposer keeps a weak reference only.
  const std::shared_ptr<prometheus::Collectable> collectable_;
  const HealthCheck health_;
  wire::Endpoint listen_;  // with the port that was taken
  std::unique_ptr<prometheus::Exposer> server_;
};

}  // namespace synward::metrics
