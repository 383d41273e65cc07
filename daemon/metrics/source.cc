// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/source.h"

#include "proxy/wire/address.h"

namespace synward::metrics {

std::vector<ServiceNames> service_names(std::span<const config::Service> services) {
  std::vector<ServiceNames> result;
  for (const config::Service& service : services) {
    ServiceNames names{.name = service.name, .backends = {}};
    const auto& targets = service.backends.empty() ? service.listen : service.backends;
    names.backends.reserve(targets.size());
    for (const wire::Endpoint& target : targets) names.backends.push_back(wire::to_string(target));
    result.push_back(std::move(names));
  }
  return result;
}

}  // namespace synward::metrics
