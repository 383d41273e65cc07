// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "config/settings.h"
#include "daemon/metrics/source.h"
#include "proxy/backend/directory.h"

namespace synward {

// The services by number. A service is known by its name and keeps its number for the life of the
// process, over reloads and absences, since counters and connections are known by it; its listens
// and backends likewise (backend::Directory, of which every worker has an equal one).
class ServiceLayout {
 public:
  explicit ServiceLayout(const std::vector<config::Service>& services) : ServiceLayout() {
    apply(services);
  }
  // A reload: services by name; those that are not named are gone.
  void apply(const std::vector<config::Service>& services);

  // Whether apply() may be called with them: numbers are 16 bits and are never given back.
  bool has_room_for(const std::vector<config::Service>& services) const;

  const std::vector<backend::ServicePlan>& plans() const { return plans_; }
  const backend::Directory& directory() const { return directory_; }
  std::vector<std::size_t> backend_counts() const;
  // What metrics call them. A transparent service stands under its listen addresses: it has no
  // backend of its own to name.
  std::vector<metrics::ServiceNames> names() const;

 private:
  ServiceLayout() : directory_({}) {}

  std::vector<std::string> names_;
  std::vector<backend::ServicePlan> plans_;
  backend::Directory directory_;
};

}  // namespace synward
