;; H16: traps while it is instantiated.
(component
  (core module $m
    (memory 1)
    (func $start (unreachable))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "run"))))
