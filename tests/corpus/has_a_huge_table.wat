;; H04: has a table of ten million elements from the start.
(component
  (core module $m (table 10000000 funcref) (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
