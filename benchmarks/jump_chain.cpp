// First passage of one neuron under finite jumps: a Markov chain on a grid, solved exactly.
//
// Between arrivals v follows the leak from node to node; an arrival comes while it is on the way,
// and sends it to where the jump leads, shared out linearly between the two nodes beside. All
// probabilities are positive, and states are eliminated without a subtraction (Grassmann, Taksar &
// Heyman 1985), so that the answer keeps its relative accuracy however rare spikes are. Its error
// is of second order in the cells. The grid is a lattice of excitatory jumps below the threshold,
// where the mean time has its kinks, with `cells` cells to a jump, finer beside the kinks.
//
// A line of standard input is a neuron:
//     c_E E_E J_E  c_I E_I J_I  R_E R_I  tau_L E_L Delta V_T  theta V_r  low cells  edges...
// v' = (E_L - v + Delta exp((v - V_T)/Delta))/tau_L (Delta = 0: none); an arrival moves v by
// c (E - v) + J; `low` is where v ends below. Units: ms, mV, 1/ms.
// A line of output: multiplications it took, mean and second moment of the time from V_r to the threshold, mean and variance
// of v on the way, and the share of that time between each two `edges`.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

using Vector = std::vector<double>;

struct Jump {
    double c, E, J, R;
    double from(double v) const { return v + c * (E - v) + J; }
    double back(double y) const { return (y - c * E - J) / (1 - c); }
};

struct Neuron {
    Jump excitatory, inhibitory;
    double tau_L, E_L, Delta, V_T, theta, V_r, low;
    double leak(double v) const {
        return (E_L - v + (Delta > 0 ? Delta * std::exp((v - V_T) / Delta) : 0)) / tau_L;
    }
    double R() const { return excitatory.R + inhibitory.R; }
};

// The lattice: v at s excitatory jumps below the threshold.
static double below(const Neuron& n, double s) {
    const Jump& e = n.excitatory;
    if (e.c == 0) return n.theta - e.J * s;
    const double top = e.E + e.J / e.c;  // which no jump passes
    return top - (top - n.theta) * std::pow(1 - e.c, -s);
}

// Fractions of a jump, above the kink, of the nodes: a third of them where the leak moves v before the
// next arrival, which is where the mean time bends.
static Vector fractions(const Neuron& n, int cells) {
    const double f = n.leak(below(n, 1)), width = n.theta - below(n, 1);
    const double q = std::min(std::max(std::fabs(f) / (n.R() * width), 1e-3), 1.0);
    const auto count = [&](double u) { return 2 * u + 1 - std::exp(-u / (5 * q)); };
    Vector found(cells);
    for (int k = 0; k < cells; k++) {
        double lowest = 0, highest = 1;
        for (int i = 0; i < 60; i++) {
            const double middle = (lowest + highest) / 2;
            (count(middle) * cells < k * count(1) ? lowest : highest) = middle;
        }
        found[k] = k ? highest : 0;
    }
    if (f < 0) return found;  // bends above the kinks, below them where the leak drives v up
    Vector mirrored(cells, 0.0);
    for (int k = 1; k < cells; k++) mirrored[k] = 1 - found[cells - k];
    return mirrored;
}

// Where the leak vanishes, from a scan: v stays there, so these are nodes.
static void resting(const Neuron& n, Vector& nodes) {
    const int steps = 20000;
    const auto at = [&](int k) { return n.low + (n.theta - n.low) * k / steps; };
    for (int k = 0; k < steps; k++) {
        double a = at(k), b = at(k + 1);
        if (n.leak(a) * n.leak(b) > 0) continue;
        for (int i = 0; i < 200; i++) {
            const double m = (a + b) / 2;
            (n.leak(a) * n.leak(m) > 0 ? a : b) = m;
        }
        nodes.push_back(b);
    }
}

static Vector grid(const Neuron& n, int cells, const Vector& edges) {
    Vector fixed = {n.theta, n.V_r, n.low}, nodes;
    resting(n, fixed);
    for (double edge : edges)
        if (edge > n.low && edge < n.theta) fixed.push_back(edge);
    std::sort(fixed.begin(), fixed.end());
    const auto beside = [&](double v) {
        nodes.push_back(v);
        for (int j = 1; j < cells; j++)
            for (double side : {-1, 1}) {
                const double w = v + side * (n.theta - below(n, 1)) * std::pow(double(j) / cells, 3);
                if (w > n.low && w < n.theta) nodes.push_back(w);
            }
    };
    for (double v : fixed)  // the leak leads away from here on both sides: the mean time has a cusp
        if (v != n.theta && n.leak(v - 1e-6) < 0 && n.leak(v + 1e-6) > 0) beside(v);
    // Spikes are followed by arrivals before the leak has moved v: it is found at the reset, one jump
    // above it, two, and which side of the edge of a bin that is, such a little way decides.
    double v = n.V_r, chance = edges.empty() ? 0 : 1;
    for (int k = 0; k < 8 && chance > 0.01 && v < n.theta; k++) {
        beside(v);
        v = n.excitatory.from(v), chance *= n.excitatory.R / n.R();
    }
    const Vector u = fractions(n, cells);
    for (int k = 1; below(n, k - 1) > n.low; k++)
        for (double part : u) nodes.push_back(below(n, k - part));
    std::sort(nodes.begin(), nodes.end());
    Vector merged;
    const auto near = [&](double v) {  // a node too close to a fixed one gives way to it
        const auto after = std::lower_bound(fixed.begin(), fixed.end(), v);
        const double scale = 1e-9 * (n.theta - n.low);
        return (after != fixed.end() && *after - v < scale) || (after != fixed.begin() && v - after[-1] < scale);
    };
    for (double v : nodes)
        if (v > n.low && v < n.theta && !near(v)) merged.push_back(v);
    for (std::size_t k = 0; k < fixed.size(); k++)
        if (!k || fixed[k] - fixed[k - 1] > 1e-12) merged.push_back(fixed[k]);
    std::sort(merged.begin(), merged.end());
    return merged;
}

// On the way from a to b (the leak a straight line there, f_a and f_b at the ends): the integral of
// e^(-Rs) over the times s, and that of e^(-Rs) times the share of the way gone.
struct Passed {
    double time, gone, left;  // left: e^(-Rs) at b
};
static Passed pass(double a, double b, double f_a, double f_b, double R) {
    static const double x[5] = {0.0469100770306680, 0.2307653449471585, 0.5, 0.7692346550528415, 0.9530899229693320};
    static const double w[5] = {0.1184634425280945, 0.2393143352496832, 0.2844444444444444, 0.2393143352496832, 0.1184634425280945};
    const double k = (f_b - f_a) / (b - a), ratio = f_b / f_a - 1;
    const double S = f_b == 0 ? INFINITY : std::fabs(ratio) < 1e-12 ? (b - a) / f_a : std::log1p(ratio) / k;
    Passed p{-std::expm1(-R * S) / R, 0, std::exp(-R * S)};
    const double unit = f_a / (b - a);
    if (R * S < 2) {
        for (int i = 0; i < 5; i++) {
            const double s = x[i] * S, z = k * s;
            const double gone = unit * s * (std::fabs(z) < 1e-12 ? 1 : std::expm1(z) / z);
            p.gone += w[i] * S * std::exp(-R * s) * gone;
        }
    } else if (std::fabs(k) < 1e-8 * R) {
        p.gone = unit * (1 - (1 + R * S) * std::exp(-R * S)) / (R * R);
    } else {
        const double more = f_b == 0 ? 0 : std::exp(-(R - k) * S);
        p.gone = unit / k * ((1 - more) / (R - k) - p.time);
    }
    p.gone = std::min(std::max(p.gone, 0.0), p.time);
    return p;
}

// Row i: where v goes next. Columns first..first + p.size() - 1, those below i eliminated later.
struct Row {
    int first = 0;
    Vector p;
    double spike = 0, here = 0, there = 0;  // integrals of linear functions over the way: weights
    int next = 0;
    double pivot = 0;
};

struct Chain {
    const Neuron& n;
    Vector x;
    int states;  // the threshold is one where the leak leads away from it
    std::vector<Row> rows;
    double work = 0;

    Chain(const Neuron& neuron, int cells, const Vector& edges) : n(neuron), x(grid(neuron, cells, edges)) {
        states = int(x.size()) - (n.leak(n.theta) < 0 ? 0 : 1);
        rows.resize(states);
        std::vector<std::vector<std::pair<int, double>>> targets(states);
        for (int i = 0; i < states; i++) fill(i, targets[i]);
        eliminate(targets);
    }

    double rest(int i) const {  // the leak at a node, zero where it was found to vanish
        const double f = n.leak(x[i]);
        return std::fabs(f) < 1e-11 * (n.theta - n.low) / n.tau_L ? 0 : f;
    }

    void send(std::vector<std::pair<int, double>>& to, int i, int node, double p) {
        if (node >= states) rows[i].spike += p;
        else if (p > 0) to.emplace_back(node, p);
    }

    void land(std::vector<std::pair<int, double>>& to, int i, double y, double p) {
        if (y >= n.theta) { rows[i].spike += p; return; }
        const int j = interval(y);
        const double part = std::min(std::max((y - x[j]) / (x[j + 1] - x[j]), 0.0), 1.0);
        send(to, i, j, p * (1 - part));
        send(to, i, j + 1, p * part);
    }

    int interval(double y) const {
        const int j = int(std::upper_bound(x.begin(), x.end(), y) - x.begin()) - 1;
        return std::min(std::max(j, 0), int(x.size()) - 2);
    }

    void fill(int i, std::vector<std::pair<int, double>>& to) {
        Row& row = rows[i];
        const double f = rest(i), R = n.R();
        if (f == 0 || (f < 0 && i == 0)) {
            row.next = i, row.here = 1 / R;
            for (const Jump* jump : {&n.excitatory, &n.inhibitory}) land(to, i, jump->from(x[i]), jump->R / R);
            return;
        }
        row.next = f > 0 ? i + 1 : i - 1;
        const double a = x[i], b = x[row.next], end = row.next < int(x.size()) ? rest(row.next) : 0;
        const Passed whole = pass(a, b, f, end, R);
        row.here = whole.time - whole.gone, row.there = whole.gone;
        send(to, i, row.next, whole.left);
        for (const Jump* jump : {&n.excitatory, &n.inhibitory})
            if (jump->R > 0) scatter(to, i, *jump, a, b, f, end);
    }

    // Arrivals on the way from a to b: pieces between which the landing place changes its interval.
    void scatter(std::vector<std::pair<int, double>>& to, int i, const Jump& jump, double a, double b, double f_a, double f_b) {
        const double y0 = jump.from(std::min(a, b)), y1 = jump.from(std::max(a, b)), close = 1e-7 * (y1 - y0);
        Vector cuts = {a};
        auto from = std::upper_bound(x.begin(), x.end(), y0 + close), until = std::lower_bound(x.begin(), x.end(), y1 - close);
        Vector inside;
        for (; from < until; ++from) inside.push_back(jump.back(*from));
        if (a > b) std::reverse(inside.begin(), inside.end());
        cuts.insert(cuts.end(), inside.begin(), inside.end());
        cuts.push_back(b);
        const double slope = (f_b - f_a) / (b - a);
        double left = jump.R;
        for (std::size_t c = 0; c + 1 < cuts.size(); c++) {
            const double u = cuts[c], w = cuts[c + 1];
            const double f_w = c + 2 == cuts.size() ? f_b : f_a + slope * (w - a);
            const Passed p = pass(u, w, f_a + slope * (u - a), f_w, n.R());
            const double middle = jump.from((u + w) / 2);
            if (middle >= n.theta) rows[i].spike += left * p.time;
            else {
                const int j = interval(middle);
                const double wide = x[j + 1] - x[j];
                const auto part = [&](double v) { return std::min(std::max((jump.from(v) - x[j]) / wide, 0.0), 1.0); };
                const double above = left * (part(u) * (p.time - p.gone) + part(w) * p.gone);
                const double under = left * ((1 - part(u)) * (p.time - p.gone) + (1 - part(w)) * p.gone);
                send(to, i, j, under);
                send(to, i, j + 1, above);
            }
            left *= p.left;
        }
    }

    void eliminate(std::vector<std::vector<std::pair<int, double>>>& targets) {
        std::vector<int> last(states);
        for (int i = 0; i < states; i++) {
            Row& row = rows[i];
            row.first = last[i] = i;
            for (auto& [j, p] : targets[i]) row.first = std::min(row.first, j), last[i] = std::max(last[i], j);
            for (int k = row.first; k < i; k++) last[i] = std::max(last[i], last[k]);
            row.p.assign(last[i] - row.first + 1, 0.0);
            for (auto& [j, p] : targets[i]) row.p[j - row.first] += p;
            double* own = row.p.data() - row.first;
            for (int k = row.first; k < i; k++) {
                if (own[k] == 0) continue;
                const Row& gone = rows[k];
                const double factor = own[k] / gone.pivot, *from = gone.p.data() - gone.first;
                own[k] = factor;
                row.spike += factor * gone.spike;
                for (int j = k + 1; j <= last[k]; j++) own[j] += factor * from[j];
                work += last[k] - k;
            }
            row.pivot = row.spike;
            for (int j = i + 1; j <= last[i]; j++) row.pivot += own[j];
        }
    }

    // Mean of the integral of a function over the time to the spike, from every node.
    Vector solve(Vector integrals) const {
        for (int i = 0; i < states; i++) {
            const double* own = rows[i].p.data() - rows[i].first;
            for (int k = rows[i].first; k < i; k++) integrals[i] += own[k] * integrals[k];
        }
        for (int i = states - 1; i >= 0; i--) {
            const double* own = rows[i].p.data() - rows[i].first;
            const int end = rows[i].first + int(rows[i].p.size());
            for (int j = i + 1; j < end; j++) integrals[i] += own[j] * integrals[j];
            integrals[i] /= rows[i].pivot;
        }
        return integrals;
    }
    Vector over(const Vector& f) const {  // of a function given at the nodes, linear between
        Vector sums(states);
        for (int i = 0; i < states; i++) sums[i] = rows[i].here * f[i] + rows[i].there * f[rows[i].next];
        return sums;
    }
    Vector between(double a, double b) const {
        Vector sums(states, 0.0);
        for (int i = 0; i < states; i++) {
            const double middle = (x[i] + x[rows[i].next]) / 2;
            if (middle > a && middle < b) sums[i] = rows[i].here + rows[i].there;
        }
        return sums;
    }
};

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream in(line);
        double p[16];
        for (double& value : p) in >> value;
        if (!in) return 2;
        Vector edges;
        for (double edge; in >> edge;) edges.push_back(edge);
        const Neuron n{{p[0], p[1], p[2], p[6]}, {p[3], p[4], p[5], p[7]}, p[8], p[9], p[10], p[11], p[12], p[13], p[14]};
        const Chain chain(n, int(p[15]), edges);
        const int nodes = int(chain.x.size());
        const auto at = std::lower_bound(chain.x.begin(), chain.x.end(), n.V_r - 1e-10) - chain.x.begin();
        const auto solved = [&](const Vector& f) { return chain.solve(chain.over(f)); };
        Vector T = solved(Vector(nodes, 1.0));
        const double mean = T[at];
        T.resize(nodes, 0.0);
        Vector v(nodes), squares(nodes);
        for (double& t : T) t /= mean;
        const double second = 2 * solved(T)[at] / mean;  // over the square of the mean
        for (int i = 0; i < nodes; i++) v[i] = chain.x[i] - n.low;
        const double v_mean = solved(v)[at] / mean;
        for (int i = 0; i < nodes; i++) squares[i] = (v[i] - v_mean) * (v[i] - v_mean);
        std::printf("%.17g %.17g %.17g %.17g %.17g", chain.work, mean, second, n.low + v_mean, solved(squares)[at] / mean);
        for (std::size_t k = 0; k + 1 < edges.size(); k++)
            std::printf(" %.17g", chain.solve(chain.between(edges[k], edges[k + 1]))[at] / mean);
        std::printf("\n");
        std::fflush(stdout);
    }
}
