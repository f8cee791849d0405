#pragma once

#include <string>
#include <vector>

#include "analyze/explain.h"
#include "analyze/roofline.h"
#include "analyze/series.h"
#include "report/canvas.h"
#include "report/system_caches.h"

// Pictures for a terminal, or for a chat. Every line ends with a newline and is at most
// `style.width` columns wide; foreign names are cleaned (see clean()).
namespace ridge {

// A row where it was measured.
struct RooflinePoint {
  std::string key;        // row_key
  std::string device;     // physical, as in Roof
  int threads = 0;        // as in Settings
  std::string operation;  // "bf16": the compute roof that is its own
  double intensity = 0;   // executed FLOP per byte read or written, by the cost model; 0: none
  double rate = 0;        // executed FLOP/s as measured; 0: none
};
// Of any row; one that is not ok, or has no FLOPs, bytes or time, has no intensity or rate.
RooflinePoint roofline_point(const Row& row, const std::string& physical_device);

// Rate over intensity, both logarithmic: the roofs of products and of reading memory as measured,
// and every row where it was measured, by a letter that the legend explains. One picture for each
// device and number of threads that has rows. Rows without a place are counted beneath.
std::string roofline_picture(const Roofline& roofline, const std::vector<RooflinePoint>& rows,
                             const Style& style);

// Latency (logarithmic) or bandwidth over the size of a working set: each size as measured, the
// fitted model, where it found cliffs, and the caches that the system reports.
std::string cache_picture(const CacheCurve& curve, const std::vector<SystemCache>& caches,
                          const Style& style);

// All pictures of what runs tell, in Markdown's code fences; empty where there is none.
std::string explain_pictures(const Explanation& explanation, const Style& style);

}  // namespace ridge
